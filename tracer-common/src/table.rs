//! The table of tracked sockets: a front of cells, and a hash behind it for sockets that find theirs taken. How these are
//! read and written; the memory is the kernel side's (`tracer-ebpf/src/table.rs`), and a test's.
//!
//! A cell belongs to the socket whose address it holds, from the exchange that puts it there. Its word, the
//! [`SockRecord`], comes after, and goes before: who enters a socket is who gives the cell its word, and who removes one is
//! who takes it. A snapshot may find a socket just as a hook meets it, and both enter it: one of them gives the word, also
//! where the other has taken the cell. So a word is that of the address, unless the cell changed hands between two reads,
//! which a second look at the address tells. Identities are never given twice, so an exchange of words cannot mistake one
//! connection for another.

#![expect(
    clippy::inline_always,
    reason = "a call between programs of the kernel side costs more than it spares, and its verifier forgets what it knew"
)]

use crate::socket::SockRecord;

/// What an empty cell holds, and the word of a socket that is being entered.
const NONE: u64 = 0;

/// The word of a socket that is being removed: until its address is gone, nobody gives the cell another.
const LEAVING: u64 = 1;

/// A cell: three words in memory that is shared.
pub trait Cell: Copy {
    /// Reads the address of the socket.
    fn key(self) -> u64;
    /// Replaces that if it is `old`; gives what it was. A full barrier.
    fn exchange_key(self, old: u64, new: u64) -> u64;
    /// Reads the packed record. A full barrier.
    fn word(self) -> u64;
    /// Replaces that if it is `old`; gives what it was. A full barrier.
    fn exchange_word(self, old: u64, new: u64) -> u64;
    /// Reads how many sockets are behind, or about to be.
    fn behind(self) -> u64;
    /// Adds to that.
    fn join(self, change: i64);
}

/// The hash behind the cells.
pub trait Hash: Copy {
    /// The word of a socket; 0 if it is not there.
    fn get(self, key: u64) -> u64;
    /// Enters a socket that is not there; says whether it did.
    fn insert(self, key: u64, word: u64) -> bool;
    /// Changes the word of a socket that is there.
    fn replace(self, key: u64, word: u64);
    /// Removes a socket; says whether it was there.
    fn remove(self, key: u64) -> bool;
}

/// The place of a socket: its cell, if there is a front, and the hash.
#[derive(Clone, Copy)]
pub struct Place<C, H> {
    /// The cell that its address has.
    pub cell: Option<C>,
    /// What is behind.
    pub hash: H,
}

/// Whether a word is a record.
#[inline(always)]
const fn is_record(word: u64) -> bool {
    word > LEAVING
}

impl<C: Cell, H: Hash> Place<C, H> {
    /// The record of a tracked socket.
    #[inline(always)]
    pub fn get(self, key: u64) -> Option<SockRecord> {
        let word = self.find(key);
        is_record(word).then(|| SockRecord::unpack(word))
    }

    #[inline(always)]
    fn find(self, key: u64) -> u64 {
        if let Some(cell) = self.cell {
            if cell.key() == key {
                let word = cell.word();
                return if cell.key() == key { word } else { NONE };
            }
            if cell.behind() == 0 {
                return NONE;
            }
        }
        self.hash.get(key)
    }

    /// Enters a socket that is not in the table; says whether it did: not if it is there, or if the table is full.
    #[inline(always)]
    pub fn enter(self, key: u64, record: SockRecord) -> bool {
        let Some(cell) = self.cell else {
            return self.hash.insert(key, record.pack());
        };
        let there = cell.exchange_key(NONE, key);
        if there == NONE || there == key {
            return self.enter_cell(cell, there, key, record);
        }
        // Before it is there, so that nobody finds nothing behind while it is.
        cell.join(1);
        let entered = self.hash.insert(key, record.pack());
        // The word first, for that is the barrier.
        let is_there = is_record(cell.word()) && cell.key() == key;
        if entered && !is_there {
            return true;
        }
        if entered {
            self.hash.remove(key);
        }
        cell.join(-1);
        false
    }

    /// The same where the cell is its own, or was just taken; `there` is what it held.
    #[inline(always)]
    fn enter_cell(self, cell: C, there: u64, key: u64, record: SockRecord) -> bool {
        let word = record.pack();
        if !give_word(cell, there, word) {
            return false;
        }
        // It left just before: the cell is nobody's, or another's.
        if cell.key() != key {
            cell.exchange_word(word, NONE);
            return false;
        }
        // It may have gone behind while the cell was another's; asked last, as above.
        if cell.behind() != 0 && is_record(self.hash.get(key)) {
            give_up(cell, key, record);
            return false;
        }
        true
    }

    /// Changes the record of a socket, unless it is gone; in a cell, also unless it has changed. The hash cannot compare:
    /// who changes a record there has just read it.
    #[inline(always)]
    pub fn change(self, key: u64, old: SockRecord, new: SockRecord) {
        if let Some(cell) = self.cell {
            if cell.key() == key {
                cell.exchange_word(old.pack(), new.pack());
                return;
            }
            if cell.behind() == 0 {
                return;
            }
        }
        self.hash.replace(key, new.pack());
    }

    /// Removes a socket; from a cell, if this is still its connection. The hash cannot compare.
    #[inline(always)]
    pub fn remove(self, key: u64, record: SockRecord) {
        if let Some(cell) = self.cell {
            if cell.key() == key {
                give_up(cell, key, record);
                return;
            }
            if cell.behind() == 0 {
                return;
            }
        }
        if self.hash.remove(key)
            && let Some(cell) = self.cell
        {
            cell.join(-1);
        }
    }
}

/// Gives a cell its word, unless somebody else has; `there` is what it held.
#[inline(always)]
fn give_word<C: Cell>(cell: C, there: u64, word: u64) -> bool {
    /// Who removes what an empty cell had may be about to clear its word, and may do so between two looks.
    const LOOKS: usize = 3;
    let mut expected = NONE;
    for _ in 0..LOOKS {
        let was = cell.exchange_word(expected, word);
        if was == expected {
            return true;
        }
        if was == NONE || (was == LEAVING && there == NONE) {
            expected = was;
        } else {
            return false;
        }
    }
    false
}

/// Empties the cell, if it is still that of this connection.
#[inline(always)]
fn give_up<C: Cell>(cell: C, key: u64, record: SockRecord) {
    let was = cell.exchange_word(record.pack(), LEAVING);
    if was != record.pack() {
        // Its stage may have changed meanwhile, which it does once.
        let is_it = is_record(was) && SockRecord::unpack(was).id == record.id;
        if !is_it || cell.exchange_word(was, LEAVING) != was {
            return;
        }
    }
    cell.exchange_key(key, NONE);
    cell.exchange_word(LEAVING, NONE);
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
