//! The table of tracked sockets: a front of cells, and a hash behind it for sockets that find theirs taken.
//!
//! A hook meets every socket of the machine, and most are not tracked: no filter lets them in, or they were let go. To see
//! that, and to enter, find and remove one, costs a few instructions in the front; in a hash of the kernel an entry costs
//! some 350, and a removal as much.
//!
//! A cell belongs to the socket whose address it holds, from the exchange that puts it there. Its word, the
//! [`SockRecord`], comes after, and goes before: who removes a socket is who takes its word, once. So a word that is not
//! [`NONE`] is that of the address, unless the cell changed hands between two reads, which a second look at the address
//! tells. Identities are never given twice, so an exchange of words cannot mistake one connection for another.

use core::arch::asm;

use aya_ebpf::bindings::{BPF_EXIST, BPF_NOEXIST};
use tracer_common::socket::SockRecord;

use crate::{
    atomic,
    globals::FRONT_BITS,
    maps::{FRONT, SOCKS},
};

/// What an empty cell holds, and the word of a socket that is being entered or removed.
const NONE: u64 = 0;

/// A place in the front.
#[repr(C)]
pub struct Cell {
    /// Address of the socket.
    key: u64,
    /// Its record, packed.
    word: u64,
    /// How many sockets of [`SOCKS`] would have this cell.
    behind: u64,
}

/// The record of a tracked socket.
#[inline(always)]
pub fn get(key: u64) -> Option<SockRecord> {
    let word = find(key);
    (word != NONE).then(|| SockRecord::unpack(word))
}

#[inline(always)]
fn find(key: u64) -> u64 {
    if let Some(place) = Place::of(key) {
        if place.is_of(key) {
            let word = place.word();
            return if place.is_of(key) { word } else { NONE };
        }
        if place.behind() == 0 {
            return NONE;
        }
    }
    find_behind(key)
}

#[inline(always)]
fn find_behind(key: u64) -> u64 {
    // SAFETY: a word is read whole.
    SOCKS
        .get_ptr(key)
        .map_or(NONE, |word| unsafe { word.read_volatile() })
}

/// Enters a socket that is not in the table; says whether it did: not if it is there, or if the table is full.
#[inline(always)]
pub fn enter(key: u64, record: SockRecord) -> bool {
    let Some(place) = Place::of(key) else {
        return enter_behind(key, record);
    };
    match place.take(key) {
        NONE => {
            place.tell(record);
            // It may have gone there while the cell was another's; asked last, as [`enter_behind`] does.
            if place.behind() != 0 && find_behind(key) != NONE {
                place.give_up(record);
                return false;
            }
            true
        }
        there if there == key => false,
        _ => {
            // Before it is there, so that nobody finds nothing behind while it is.
            place.join(1);
            let entered = enter_behind(key, record);
            if entered && !(place.is_of(key) && place.word() != NONE) {
                return true;
            }
            if entered {
                let _: Result<(), i32> = SOCKS.remove(key);
            }
            place.join(-1);
            false
        }
    }
}

#[inline(always)]
fn enter_behind(key: u64, record: SockRecord) -> bool {
    SOCKS.insert(key, record.pack(), u64::from(BPF_NOEXIST)).is_ok()
}

/// Changes the record of a socket, unless it has changed or is gone.
#[inline(always)]
pub fn change(key: u64, old: SockRecord, new: SockRecord) {
    if let Some(place) = Place::of(key) {
        if place.is_of(key) {
            place.replace(old, new.pack());
            return;
        }
        if place.behind() == 0 {
            return;
        }
    }
    let _: Result<(), i32> = SOCKS.insert(key, new.pack(), u64::from(BPF_EXIST));
}

/// Removes a socket, if this is still its connection.
#[inline(always)]
pub fn remove(key: u64, record: SockRecord) {
    let place = Place::of(key);
    if let Some(place) = place {
        if place.is_of(key) {
            place.give_up(record);
            return;
        }
        if place.behind() == 0 {
            return;
        }
    }
    if SOCKS.remove(key).is_ok()
        && let Some(place) = place
    {
        place.join(-1);
    }
}

/// The cell that an address has.
#[derive(Clone, Copy)]
struct Place(*mut Cell);

macro_rules! field {
    ($place:ident . $field:ident) => {
        // SAFETY: the cell is a live map value; nothing is read.
        unsafe { &raw mut (*$place.0).$field }
    };
}

impl Place {
    /// `None` where there is no front: in a small table it would be as large as the limit.
    #[inline(always)]
    fn of(key: u64) -> Option<Self> {
        let bits = u32::from(FRONT_BITS.load());
        if bits == 0 {
            return None;
        }
        FRONT.get_ptr_mut(hash(key) >> (u32::BITS - bits)).map(Self)
    }

    #[inline(always)]
    fn is_of(self, key: u64) -> bool {
        let at = field!(self.key);
        // SAFETY: the word is live and aligned.
        unsafe { at.read_volatile() == key }
    }

    /// The word, read by an instruction that is a barrier: not before the address was, nor after it is looked at again.
    #[inline(always)]
    fn word(self) -> u64 {
        let at = field!(self.word);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::fetch_add(at, 0) }
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

    /// Takes the cell if it is empty; gives whose it was.
    #[inline(always)]
    fn take(self, key: u64) -> u64 {
        let at = field!(self.key);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::compare_exchange(at, NONE, key) }
    }

    /// Gives the cell that was taken its word.
    #[inline(always)]
    fn tell(self, record: SockRecord) {
        let at = field!(self.word);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::exchange(at, record.pack()) };
    }

    /// Replaces the word if it is that of `old`; gives what it was.
    #[inline(always)]
    fn replace(self, old: SockRecord, new: u64) -> u64 {
        let at = field!(self.word);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::compare_exchange(at, old.pack(), new) }
    }

    /// Empties the cell, if it is still that of this connection.
    #[inline(always)]
    fn give_up(self, record: SockRecord) {
        let was = self.replace(record, NONE);
        if was != record.pack() {
            // Its stage may have changed meanwhile, which it does once.
            let now = SockRecord::unpack(was);
            if now.id != record.id || self.replace(now, NONE) != was {
                return;
            }
        }
        let at = field!(self.key);
        // SAFETY: the word is live and aligned.
        unsafe { atomic::exchange(at, NONE) };
    }
}

/// Fibonacci hashing: addresses of one slab differ in some middle bits only. The upper bits are the good ones.
#[inline(always)]
fn hash(key: u64) -> u32 {
    const GOLDEN: u32 = 0x9e37_79b1;
    let half: u64;
    // The verifier lets nobody calculate with a pointer, but takes the lower half of one for a number (`check_alu_op`,
    // `kernel/bpf/verifier.c`).
    // SAFETY: a move between registers, which clears the upper half.
    unsafe { asm!("w1 = w2", out("r1") half, in("r2") key, options(pure, nomem, nostack)) };
    (half as u32).wrapping_mul(GOLDEN)
}
