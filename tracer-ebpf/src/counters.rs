//! Loss accounting (see [`tracer_common::counter`]).

use tracer_common::counter::Counter;

use crate::{
    atomic,
    maps::{COUNTERS, NEXT_ID},
};

/// This CPU's counters.
#[derive(Clone, Copy)]
pub struct Books(*mut u64);

impl Books {
    /// Looks them up; `None` never happens, but the verifier does not know.
    #[inline(always)]
    pub fn of_this_cpu() -> Option<Self> {
        COUNTERS.get_ptr_mut(0).map(|counters| Self(counters.cast()))
    }

    #[inline(always)]
    fn cell(self, counter: Counter) -> *mut u64 {
        // SAFETY: a counter's number is below the number of cells, all of them inside the map value.
        unsafe { self.0.add(counter as usize) }
    }

    /// Adds one. Atomic although the cell is this CPU's own: tracing programs run with migration disabled but can be
    /// preempted, and an interrupt can run another program on top (`__bpf_prog_enter_recur`,
    /// `kernel/bpf/trampoline.c`; `__bpf_trace_run`, `kernel/trace/bpf_trace.c`).
    #[inline(always)]
    pub fn count(self, counter: Counter) {
        // SAFETY: the cell is live and aligned.
        unsafe { atomic::add(self.cell(counter), 1) };
    }

    /// What was counted on this CPU.
    #[inline(always)]
    pub fn counted(self, counter: Counter) -> u64 {
        // SAFETY: the cell is live and aligned.
        unsafe { self.cell(counter).read_volatile() }
    }
}

/// Adds one.
#[inline(always)]
pub fn count(counter: Counter) {
    if let Some(books) = Books::of_this_cpu() {
        books.count(counter);
    }
}

/// A connection id that was never given before. 0 is never given.
#[inline(always)]
pub fn next_id() -> u64 {
    let Some(next) = NEXT_ID.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the map value is live and aligned.
    unsafe { atomic::fetch_add(next, 1) + 1 }
}
