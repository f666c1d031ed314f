//! The table of tracked sockets: its memory. How it is read and written: [`tracer_common::table`].
//!
//! A hook meets every socket of the machine, and most are not tracked: no filter lets them in, or they were let go. To see
//! that, and to enter, find and remove one, costs a few instructions in the front; in a hash of the kernel an entry costs
//! some 350, and a removal as much.

use core::arch::asm;

use aya_ebpf::bindings::{BPF_EXIST, BPF_NOEXIST};
use tracer_common::{
    socket::SockRecord,
    table::{Cell, Hash, Place},
};

use crate::{
    atomic,
    globals::FRONT_BITS,
    maps::{FRONT, SOCKS},
};

/// A cell of the front.
#[repr(C)]
pub struct Words {
    key: u64,
    word: u64,
    behind: u64,
}

/// The record of a tracked socket.
#[inline(always)]
pub fn get(key: u64) -> Option<SockRecord> {
    place(key).get(key)
}

/// Enters a socket that is not in the table; says whether it did: not if it is there, or if the table is full.
#[inline(always)]
pub fn enter(key: u64, record: SockRecord) -> bool {
    place(key).enter(key, record)
}

/// Changes the record of a socket (see [`Place::change`]).
#[inline(always)]
pub fn change(key: u64, old: SockRecord, new: SockRecord) {
    place(key).change(key, old, new);
}

/// Removes a socket (see [`Place::remove`]).
#[inline(always)]
pub fn remove(key: u64, record: SockRecord) {
    place(key).remove(key, record);
}

#[inline(always)]
fn place(key: u64) -> Place<FrontCell, Socks> {
    let bits = u32::from(FRONT_BITS.load());
    let cell = if bits == 0 {
        // In a small table a front would be as large as the limit.
        None
    } else {
        FRONT.get_ptr_mut(hash(key) >> (u32::BITS - bits)).map(FrontCell)
    };
    Place { cell, hash: Socks }
}

#[derive(Clone, Copy)]
struct FrontCell(*mut Words);

macro_rules! field {
    ($cell:ident . $field:ident) => {
        // SAFETY: the cell is a live map value; nothing is read.
        unsafe { &raw mut (*$cell.0).$field }
    };
}

impl Cell for FrontCell {
    #[inline(always)]
    fn key(self) -> u64 {
        let at = field!(self.key);
        // SAFETY: the word is live and aligned.
        unsafe { at.read_volatile() }
    }

    #[inline(always)]
    fn exchange_key(self, old: u64, new: u64) -> u64 {
        let at = field!(self.key);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::compare_exchange(at, old, new) }
    }

    #[inline(always)]
    fn word(self) -> u64 {
        let at = field!(self.word);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::fetch_add(at, 0) }
    }

    #[inline(always)]
    fn exchange_word(self, old: u64, new: u64) -> u64 {
        let at = field!(self.word);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::compare_exchange(at, old, new) }
    }

    #[inline(always)]
    fn behind(self) -> u64 {
        let at = field!(self.behind);
        // SAFETY: the word is live and aligned.
        unsafe { at.read_volatile() }
    }

    #[inline(always)]
    fn join(self, change: i64) {
        let at = field!(self.behind);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::add(at, change) };
    }
}

/// The map behind.
#[derive(Clone, Copy)]
struct Socks;

impl Hash for Socks {
    #[inline(always)]
    fn get(self, key: u64) -> u64 {
        // SAFETY: the map value is live; a word is read whole.
        SOCKS
            .get_ptr(key)
            .map_or(0, |word| unsafe { word.read_volatile() })
    }

    #[inline(always)]
    fn insert(self, key: u64, word: u64) -> bool {
        SOCKS.insert(key, word, u64::from(BPF_NOEXIST)).is_ok()
    }

    #[inline(always)]
    fn replace(self, key: u64, word: u64) {
        let _: Result<(), i32> = SOCKS.insert(key, word, u64::from(BPF_EXIST));
    }

    #[inline(always)]
    fn remove(self, key: u64) -> bool {
        SOCKS.remove(key).is_ok()
    }
}

/// Fibonacci hashing: addresses of one slab differ in some middle bits only. The upper bits are the good ones.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the upper half is clear")]
fn hash(key: u64) -> u32 {
    const GOLDEN: u32 = 0x9e37_79b1;
    let half: u64;
    // The verifier lets nobody calculate with a pointer, but takes the lower half of one for a number (`check_alu_op`,
    // `kernel/bpf/verifier.c`).
    // SAFETY: a move between registers, which clears the upper half.
    unsafe { asm!("w1 = w2", out("r1") half, in("r2") key, options(pure, nomem, nostack)) };
    (half as u32).wrapping_mul(GOLDEN)
}
