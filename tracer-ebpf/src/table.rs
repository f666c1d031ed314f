//! The table of tracked sockets, and a cheap way to see that a socket is not in it.
//!
//! Most hooks hit sockets that are not tracked: no filter lets them in, or they were let go. A lookup in a hash costs
//! some 80 instructions more than the check that spares it.

use core::arch::asm;

use aya_ebpf::bindings::{BPF_EXIST, BPF_NOEXIST};
use tracer_common::socket::SockRecord;

use crate::maps::{CROWDS, CROWDS_BITS, SOCKS};

/// The record of a tracked socket.
#[inline(always)]
pub fn get(key: u64) -> Option<SockRecord> {
    if !may_hold(key) {
        return None;
    }
    // SAFETY: the value is only replaced as a whole, and copied here.
    unsafe { SOCKS.get(key) }.copied()
}

/// Enters a socket that is not in the table; an error if it is, or if the table is full.
#[inline(always)]
pub fn enter(key: u64, record: SockRecord) -> Result<(), i32> {
    // Before it is there, so that nobody finds the crowd empty while it is.
    join(key, 1);
    let entered = SOCKS.insert(key, record, u64::from(BPF_NOEXIST));
    if entered.is_err() {
        join(key, -1);
    }
    entered
}

/// Changes the record of a socket that is in the table; one that was removed meanwhile stays removed.
#[inline(always)]
pub fn change(key: u64, record: SockRecord) {
    let _: Result<(), i32> = SOCKS.insert(key, record, u64::from(BPF_EXIST));
}

/// Removes a socket, if it is there.
#[inline(always)]
pub fn remove(key: u64) {
    if SOCKS.remove(key).is_ok() {
        join(key, -1);
    }
}

/// Whether any socket is in the table whose address falls where this one's does.
#[inline(always)]
fn may_hold(key: u64) -> bool {
    // SAFETY: the map value is live and aligned. There is one for each index, but the verifier does not know.
    CROWDS
        .get_ptr_mut(crowd(key))
        .is_none_or(|count| unsafe { count.read_volatile() } != 0)
}

#[inline(always)]
fn join(key: u64, change: i64) {
    if let Some(count) = CROWDS.get_ptr_mut(crowd(key)) {
        // SAFETY: the map value is live and aligned; the instruction touches nothing else.
        unsafe { asm!("lock *(u64 *)({at} + 0) += {change}", at = in(reg) count, change = in(reg) change) };
    }
}

/// Fibonacci hashing: addresses of one slab differ in some middle bits only.
#[inline(always)]
fn crowd(key: u64) -> u32 {
    const GOLDEN: u64 = 0x9e37_79b1;
    let half: u64;
    // The verifier lets nobody calculate with a pointer, but takes the lower half of one for a number (`check_alu_op`,
    // `kernel/bpf/verifier.c`).
    // SAFETY: a move between registers, which clears the upper half.
    unsafe { asm!("w1 = w2", out("r1") half, in("r2") key, options(pure, nomem, nostack)) };
    let hash = half.wrapping_mul(GOLDEN) >> (u32::BITS - CROWDS_BITS);
    (hash & ((1 << CROWDS_BITS) - 1)) as u32
}
