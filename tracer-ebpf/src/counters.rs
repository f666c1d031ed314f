//! Loss accounting (see [`tracer_common::counter`]).

use core::arch::asm;

use tracer_common::counter::Counter;

use crate::maps::{COUNTERS, NEXT_ID};

/// Adds one. Atomic although the cell is this CPU's own: tracing programs run with migration disabled but can be
/// preempted, and an interrupt can run another program on top (`__bpf_prog_enter_recur`,
/// `kernel/bpf/trampoline.c`; `__bpf_trace_run`, `kernel/trace/bpf_trace.c`).
#[inline(always)]
pub fn count(counter: Counter) {
    let Some(counters) = COUNTERS.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a counter's number is below the number of cells, all of them inside the map value.
    let cell = unsafe { counters.cast::<u64>().add(counter as usize) };
    // The target has no read-modify-write atomics in Rust (`target_has_atomic` is unset), only in assembly.
    // SAFETY: the cell is live and aligned; the instruction touches nothing else.
    unsafe { asm!("lock *(u64 *)({cell} + 0) += {one}", cell = in(reg) cell, one = in(reg) 1_u64) };
}

/// A connection id that was never given before. 0 is never given.
#[inline(always)]
pub fn next_id() -> u64 {
    let Some(next) = NEXT_ID.get_ptr_mut(0) else {
        return 0;
    };
    let mut last = 1_u64;
    // SAFETY: the map value is live and aligned; the instruction touches nothing else. (Linux 5.12 and newer.)
    unsafe {
        asm!("{last} = atomic_fetch_add((u64 *)({next} + 0), {last})", next = in(reg) next, last = inout(reg) last);
    };
    last + 1
}
