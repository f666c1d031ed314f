//! The table under every order in which a few threads can come: what loom finds is what a machine may do once a year.

extern crate std;

use std::{collections::BTreeMap, sync::Arc, vec::Vec};

use loom::{
    model::Builder,
    sync::{
        Mutex,
        atomic::{
            AtomicU64,
            Ordering::{Relaxed, SeqCst},
            fence,
        },
    },
    thread,
};

use super::*;
use crate::socket::stage;

/// Addresses of sockets, all with one cell.
const KEY: u64 = 0x1000;
const OTHER: u64 = 0x2000;

/// One cell, and a hash.
#[derive(Default)]
struct Memory {
    key: AtomicU64,
    word: AtomicU64,
    behind: AtomicU64,
    hash: Mutex<BTreeMap<u64, u64>>,
}

impl Cell for &Memory {
    fn key(self) -> u64 {
        self.key.load(Relaxed)
    }
    fn exchange_key(self, old: u64, new: u64) -> u64 {
        exchange(&self.key, old, new)
    }
    fn word(self) -> u64 {
        ordered(|| self.word.fetch_add(0, Relaxed))
    }
    fn exchange_word(self, old: u64, new: u64) -> u64 {
        exchange(&self.word, old, new)
    }
    fn behind(self) -> u64 {
        self.behind.load(Relaxed)
    }
    fn join(self, change: i64) {
        self.behind.fetch_add(change.cast_unsigned(), Relaxed);
    }
}

/// As the kernel does it: `smp_mb` before and after (`Documentation/atomic_t.txt`).
fn ordered<T>(change: impl FnOnce() -> T) -> T {
    fence(SeqCst);
    let was = change();
    fence(SeqCst);
    was
}

fn exchange(at: &AtomicU64, old: u64, new: u64) -> u64 {
    ordered(|| {
        at.compare_exchange(old, new, Relaxed, Relaxed)
            .unwrap_or_else(|was| was)
    })
}

impl Hash for &Memory {
    fn get(self, key: u64) -> u64 {
        self.hash.lock().unwrap().get(&key).copied().unwrap_or(NONE)
    }
    fn insert(self, key: u64, word: u64) -> bool {
        let mut hash = self.hash.lock().unwrap();
        let is_new = !hash.contains_key(&key);
        if is_new {
            hash.insert(key, word);
        }
        is_new
    }
    fn replace(self, key: u64, word: u64) {
        if let Some(there) = self.hash.lock().unwrap().get_mut(&key) {
            *there = word;
        }
    }
    fn remove(self, key: u64) -> bool {
        self.hash.lock().unwrap().remove(&key).is_some()
    }
}

impl Memory {
    fn place(&self) -> Place<&Self, &Self> {
        Place {
            cell: Some(self),
            hash: self,
        }
    }

    fn is_empty(&self) -> bool {
        let words = [&self.key, &self.word, &self.behind];
        words.iter().all(|word| word.load(SeqCst) == 0) && self.hash.lock().unwrap().is_empty()
    }
}

fn held(id: u64) -> SockRecord {
    SockRecord {
        id,
        stage: stage::HELD,
    }
}

/// What a thread does with the table; gives whether it entered something.
type Act = fn(Place<&Memory, &Memory>) -> bool;

/// Prepares a table, lets threads come in every order, and checks what is left.
fn always(before: fn(Place<&Memory, &Memory>), acts: &'static [Act], check: fn(&Memory, &[bool])) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let memory = Arc::new(Memory::default());
        before(memory.place());
        let threads: Vec<_> = acts
            .iter()
            .map(|act| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || act(memory.place()))
            })
            .collect();
        let entered: Vec<bool> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        check(&memory, &entered);
    });
}

#[test]
fn two_enter_one_socket() {
    always(
        |_| {},
        &[
            |table| table.enter(KEY, held(7)),
            |table| table.enter(KEY, held(8)),
        ],
        |memory, entered| {
            let winner = match entered {
                [true, false] => 7,
                [false, true] => 8,
                other => panic!("{other:?}"),
            };
            assert_eq!(memory.place().get(KEY), Some(held(winner)));
            memory.place().remove(KEY, held(winner));
            assert!(memory.is_empty());
        },
    );
}

#[test]
fn two_sockets_meet_in_one_cell() {
    always(
        |_| {},
        &[
            |table| table.enter(KEY, held(7)),
            |table| table.enter(OTHER, held(8)),
        ],
        |memory, entered| {
            assert_eq!(entered, [true, true]);
            assert_eq!(memory.place().get(KEY), Some(held(7)));
            assert_eq!(memory.place().get(OTHER), Some(held(8)));
            memory.place().remove(KEY, held(7));
            memory.place().remove(OTHER, held(8));
            assert!(memory.is_empty());
        },
    );
}

#[test]
fn one_leaves_while_another_comes_and_a_third_looks() {
    always(
        |table| assert!(table.enter(KEY, held(7))),
        &[
            |table| {
                table.remove(KEY, held(7));
                false
            },
            |table| table.enter(OTHER, held(8)),
            |table| {
                assert!(table.get(OTHER).is_none_or(|found| found == held(8)));
                assert!(table.get(KEY).is_none_or(|found| found == held(7)));
                false
            },
        ],
        |memory, entered| {
            assert!(entered[1]);
            assert_eq!(memory.place().get(KEY), None);
            assert_eq!(memory.place().get(OTHER), Some(held(8)));
            memory.place().remove(OTHER, held(8));
            assert!(memory.is_empty());
        },
    );
}

#[test]
fn one_dies_while_it_is_let_go() {
    always(
        |table| assert!(table.enter(KEY, held(7))),
        &[
            |table| {
                if let Some(record) = table.get(KEY) {
                    table.change(
                        KEY,
                        record,
                        SockRecord {
                            stage: stage::DEAD,
                            ..record
                        },
                    );
                }
                false
            },
            |table| {
                table.get(KEY).inspect(|record| table.remove(KEY, *record));
                false
            },
        ],
        |memory, _| {
            assert_eq!(memory.place().get(KEY), None);
            assert!(memory.is_empty());
        },
    );
}

#[test]
fn two_let_one_go_while_another_comes() {
    const LET_GO: Act = |table| {
        table.get(KEY).inspect(|record| table.remove(KEY, *record));
        false
    };
    always(
        |table| assert!(table.enter(KEY, held(7))),
        &[LET_GO, LET_GO, |table| table.enter(OTHER, held(8))],
        |memory, entered| {
            assert!(entered[2]);
            assert_eq!(memory.place().get(KEY), None);
            assert_eq!(memory.place().get(OTHER), Some(held(8)));
            memory.place().remove(OTHER, held(8));
            assert!(memory.is_empty());
        },
    );
}

/// A hook enters a socket whose cell is another's, a snapshot finds it when the cell is free.
#[test]
fn a_cell_becomes_free_while_two_enter_one_socket() {
    always(
        |table| assert!(table.enter(OTHER, held(8))),
        &[
            |table| table.enter(KEY, held(7)),
            |table| {
                table.remove(OTHER, held(8));
                table.enter(KEY, held(9))
            },
        ],
        |memory, entered| {
            let found = memory.place().get(KEY);
            match entered {
                [true, false] => assert_eq!(found, Some(held(7))),
                [false, true] => assert_eq!(found, Some(held(9))),
                // Each saw the other: it is not tracked, which both report.
                [false, false] => assert_eq!(found, None),
                other => panic!("{other:?}"),
            }
            found.inspect(|record| memory.place().remove(KEY, *record));
            assert!(memory.is_empty());
        },
    );
}

/// The queue of a listener is read without its lock: what is found there may be destroyed at once.
#[test]
fn one_leaves_while_a_snapshot_finds_it() {
    always(
        |table| assert!(table.enter(KEY, held(7))),
        &[
            |table| {
                table.remove(KEY, held(7));
                false
            },
            |table| table.enter(KEY, held(9)),
        ],
        |memory, entered| {
            let expected = entered[1].then(|| held(9));
            assert_eq!(memory.place().get(KEY), expected);
            expected.inspect(|record| memory.place().remove(KEY, *record));
            assert!(memory.is_empty());
        },
    );
}
