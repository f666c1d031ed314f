//! The user stack of whoever opens a connection (see [`tracer_common::stack`] and `docs/architecture.md`).

use aya_ebpf::{
    bindings::{BPF_F_USER_STACK, BPF_NOEXIST},
    helpers::{
        bpf_get_current_task_btf, bpf_ktime_get_boot_ns,
        generated::{bpf_get_task_stack, bpf_probe_read_user, bpf_task_pt_regs},
    },
};
use tracer_common::{
    counter::Counter,
    event::kind,
    socket::direction,
    stack::{FIRST_ID, HEAD, MAX_FRAMES, NO_SLOT, SLOTS as PAGE, StackRecord, WINDOW, missing, wanted},
};

use crate::{
    access::{Access as _, KernelPtr, Trusted},
    counters::count,
    emit,
    globals::{OFF_REGS_SP, STACK_KEY, WANT_STACKS},
    maps::{SLOTS, STACK_ROOM, STACKS},
    task::Task,
};

/// Bytes of an address.
const WORD: usize = size_of::<u64>();

/// Which program takes a stack. Each has room of its own: one can be preempted while it does, and another run on the
/// same CPU; the same one cannot (`__bpf_prog_enter_recur`, `kernel/bpf/trampoline.c`; `trace_call_bpf`,
/// `kernel/trace/bpf_trace.c`).
#[derive(Clone, Copy)]
pub enum Place {
    Connect = 0,
    Accept = 1,
    Graft = 2,
}

/// The id of the current user stack, which is told if it is not known yet, or why there is none.
#[inline(always)]
pub fn take(place: Place, direction: u8, tgid: u32) -> u64 {
    let asked = WANT_STACKS.load();
    if asked == wanted::NONE || (asked == wanted::OUTBOUND && direction != direction::OUTBOUND) {
        return missing::NOT_ASKED;
    }
    let Some(room) = STACK_ROOM.get_ptr_mut(place as u32) else {
        return missing::NO_USER_STACK;
    };
    let Some(id) = read(room, tgid) else {
        count(Counter::NoUserStack);
        return missing::NO_USER_STACK;
    };
    if STACKS.get_ptr(id).is_some() {
        return id;
    }
    if STACKS.insert(id, 0, u64::from(BPF_NOEXIST)).is_err() {
        // Another CPU may have been faster; it tells.
        if STACKS.get_ptr(id).is_some() {
            return id;
        }
        count(Counter::StackTableFull);
        return missing::TABLE_FULL;
    }
    if !tell(room, id) {
        let _: Result<(), i32> = STACKS.remove(id);
        return missing::RING_FULL;
    }
    id
}

macro_rules! field {
    ($room:ident . $field:ident) => {
        // SAFETY: the room is a live map value; nothing is read.
        unsafe { &raw mut (*$room).$field }
    };
}

/// Reads the stack of the current task and gives its id.
///
/// Not `bpf_get_stackid`: its table has one place per hash, so that a collision loses a stack or, with
/// `BPF_F_REUSE_STACKID`, gives a wrong one, and a place that user space frees can mean another stack by the time a
/// record with its number is read.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the helper writes 1 to 64 words where that is used; of an address the low bits count"
)]
fn read(room: *mut StackRecord, tgid: u32) -> Option<u64> {
    let start = Task::current()?.start()?;
    // SAFETY: the helper has no preconditions.
    let task = unsafe { bpf_get_current_task_btf() };
    let frames = field!(room.frames);
    // Works in every type of program here, for the registers are those at the entry of the system call. It fails where
    // there are none: in kernel threads and workers of io_uring.
    // SAFETY: so many bytes can be written.
    let bytes = unsafe {
        bpf_get_task_stack(
            task.cast(),
            frames.cast(),
            (MAX_FRAMES * WORD) as u32,
            u64::from(BPF_F_USER_STACK),
        )
    };
    if bytes < 8 {
        return None;
    }
    // SAFETY: the task is the current one.
    let registers = unsafe { bpf_task_pt_regs(task.cast()) } as KernelPtr;
    let top: u64 = Trusted::load(registers, &OFF_REGS_SP)?;
    let window = field!(room.window);
    // SAFETY: so many bytes can be written; the helper reads from any address, and leaves zeros where it cannot.
    unsafe { bpf_probe_read_user(window.cast(), (WINDOW * WORD) as u32, top as *const _) };

    let count = (bytes as usize / WORD) & (2 * MAX_FRAMES - 1);
    // SAFETY: the array has at least one word.
    let first = unsafe { frames.cast::<u64>().read() };
    let slot = SLOTS.get(first as u32 & (PAGE - 1)).map_or(NO_SLOT, |slot| *slot);
    let mut hash = mix(STACK_KEY.load() ^ start, u64::from(tgid));
    if usize::from(slot) < WINDOW {
        // SAFETY: the index was checked.
        let word = unsafe { window.cast::<u64>().wrapping_add(usize::from(slot)).read() };
        hash = mix(hash, word);
    }
    for index in 0..MAX_FRAMES {
        if index >= count {
            break;
        }
        // SAFETY: the index is below the length of the array.
        let frame = unsafe { frames.cast::<u64>().wrapping_add(index).read() };
        hash = mix(hash, frame);
    }
    hash = mix(hash, count as u64);
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let (field, value) = (field!(room.$field), $value);
            // SAFETY: a field of a live map value that is ours for the run.
            unsafe { field.write(value) };
        }};
    }
    set!(kind, kind::STACK);
    set!(slot, slot);
    set!(count, count as u16);
    set!(tgid, tgid);
    set!(start, start);
    Some(if hash < FIRST_ID { hash + FIRST_ID } else { hash })
}

/// Takes a word into the hash: every step can be undone, so that stacks that differ in one word never collide, and others
/// do with a probability of 2^-64 each.
#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    /// 2^64 divided by the golden ratio, odd.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let product = (hash ^ word).wrapping_mul(FACTOR);
    product ^ (product >> 32)
}

/// Hands the stack over; says whether it fitted.
#[inline(always)]
fn tell(room: *mut StackRecord, id: u64) -> bool {
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let (ts, own, count) = (field!(room.ts), field!(room.id), field!(room.count));
    // SAFETY: a field of a live map value that is ours for the run.
    unsafe { ts.write(now) };
    // SAFETY: as above.
    unsafe { own.write(id) };
    // SAFETY: as above.
    let count = usize::from(unsafe { count.read() });
    // The verifier does not know what was stored.
    let length = HEAD + count.min(MAX_FRAMES) * WORD;
    emit::bytes(room.cast(), length as u64)
}
