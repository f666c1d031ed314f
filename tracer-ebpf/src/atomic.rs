//! Read-modify-write instructions on words of maps. The target has none in Rust (`target_has_atomic` is unset), only in
//! assembly. Those that return a value (Linux 5.12 and newer) are full barriers
//! (`Documentation/bpf/standardization/instruction-set.rst`, `kernel/bpf/core.c`).

use core::arch::asm;

/// Adds to a word.
///
/// # Safety
/// The word is live and aligned.
#[inline(always)]
pub unsafe fn add(at: *mut u64, change: i64) {
    // SAFETY: the caller's promise; the instruction touches nothing else.
    unsafe { asm!("lock *(u64 *)({at} + 0) += {change}", at = in(reg) at, change = in(reg) change) };
}

/// Adds to a word; gives what it was.
///
/// # Safety
/// The word is live and aligned.
#[inline(always)]
pub unsafe fn fetch_add(at: *mut u64, change: u64) -> u64 {
    let mut word = change;
    // SAFETY: the caller's promise; the instruction touches nothing else.
    unsafe {
        asm!("{word} = atomic_fetch_add((u64 *)({at} + 0), {word})", at = in(reg) at, word = inout(reg) word);
    };
    word
}

/// Replaces a word if it is `old`; gives what it was.
///
/// # Safety
/// The word is live and aligned.
#[inline(always)]
pub unsafe fn compare_exchange(at: *mut u64, old: u64, new: u64) -> u64 {
    let was: u64;
    // SAFETY: the caller's promise; the instruction touches nothing else.
    unsafe {
        asm!("r0 = cmpxchg_64({at} + 0, r0, {new})", at = in(reg) at, new = in(reg) new, inout("r0") old => was);
    };
    was
}
