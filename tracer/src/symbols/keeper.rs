//! The stacks that the kernel has told: which are looked up, and when they are forgotten.
//!
//! A stack is known by its content, so to forget one is safe at any moment: if it opens something again, the kernel tells
//! it again, under the same id. It is taken out of the kernel's table first, and kept here while a connection that it
//! opened before may still be on its way.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::Duration,
};

use crate::{
    ingest::stack::RawStack,
    model::{stack::StackId, time::Time},
};

/// A stack that has so many connections open is looked up, while its process lives.
const WORTH_LOOKING_UP: u32 = 3;
/// Stacks that are looked up in one second.
const PER_SECOND: usize = 64;
/// How long a stack is kept of which nothing is open.
const IDLE: Duration = Duration::from_mins(1);
/// The same where the table is nearly full.
const IDLE_WHEN_FULL: Duration = Duration::from_secs(2);
/// How long after that a connection may still come that it opened: more than records take.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

/// The stacks.
pub struct Keeper {
    known: HashMap<StackId, Known>,
    /// Entries of the kernel's table.
    capacity: usize,
    /// Of these, the ones that are in use.
    told: usize,
    /// Stacks that did not fit here: the kernel has told more than its table holds.
    refused: u64,
    /// Offsets in their page of the instructions that were asked about: where such a function has its return address is
    /// known then, or about to be.
    asked_about: HashSet<u64>,
}

struct Known {
    stack: RawStack,
    /// Whether it was asked what it looks like.
    asked: bool,
    /// Since when nothing is open that it opened.
    idle: Option<Time>,
    /// Since when the kernel does not know it.
    forgotten: Option<Time>,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// To be looked up now, those with the most connections first.
    pub look_up: Vec<RawStack>,
    /// To be taken out of the kernel's table.
    pub forget: Vec<StackId>,
    /// Whether any was dropped here.
    pub dropped: bool,
}

impl Keeper {
    /// Knows none; the kernel's table has so many entries.
    pub fn new(capacity: u32) -> Self {
        Self {
            known: HashMap::new(),
            capacity: usize::try_from(capacity).unwrap_or(usize::MAX),
            told: 0,
            refused: 0,
            asked_about: HashSet::new(),
        }
    }

    /// Takes one in.
    pub fn take(&mut self, stack: RawStack) {
        let room = self.known.len() < self.capacity.saturating_mul(2);
        match self.known.entry(stack.id) {
            // What it looks like stays true.
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                self.told += usize::from(known.forgotten.take().is_some());
                known.idle = Some(stack.at);
            }
            Entry::Vacant(place) if room => {
                let idle = Some(stack.at);
                place.insert(Known {
                    stack,
                    asked: false,
                    idle,
                    forgotten: None,
                });
                self.told += 1;
            }
            Entry::Vacant(_) => self.refused += 1,
        }
    }

    /// Whether a stack is known.
    pub fn knows(&self, id: StackId) -> bool {
        self.known.contains_key(&id)
    }

    /// A question was not answered: what it was to teach is not known.
    pub fn learn_again(&mut self) {
        self.asked_about.clear();
    }

    /// The stacks that were not asked about and have something open: at once, and few enough for the questions that wait.
    pub fn not_asked(&mut self, open: &HashMap<StackId, u32>) -> Vec<RawStack> {
        let rest = self.known.iter_mut().filter(|(id, known)| {
            let is_open = open.get(id).is_some_and(|count| *count > 0);
            is_open && !known.asked
        });
        let ask = |(_, known): (_, &mut Known)| {
            known.asked = true;
            known.stack.clone()
        };
        rest.take(PER_SECOND).map(ask).collect()
    }

    /// There was no room for the question what it looks like: it is asked another time.
    pub fn ask_again(&mut self, id: StackId) {
        if let Some(known) = self.known.get_mut(&id) {
            known.asked = false;
            self.asked_about.remove(&known.stack.offset());
        }
    }

    /// Looks at all of them; `open` says how many connections each has open. To be called about once a second.
    pub fn sweep(&mut self, open: &HashMap<StackId, u32>, now: Time) -> Sweep {
        let mut sweep = Sweep::default();
        let patience = if self.told * 4 >= self.capacity * 3 {
            IDLE_WHEN_FULL
        } else {
            IDLE
        };
        let mut worth: Vec<(bool, u32, StackId)> = Vec::new();
        let before = self.known.len();
        self.known.retain(|id, known| {
            let open = open.get(id).copied().unwrap_or(0);
            if open > 0 {
                known.idle = None;
                // Of a library that is new to us the first one is looked up at once: until it is known where its functions
                // have their return addresses, their callers stay unknown.
                if !known.asked {
                    let is_new = self.asked_about.insert(known.stack.offset());
                    if is_new || open >= WORTH_LOOKING_UP {
                        worth.push((is_new, open, *id));
                    }
                }
                return true;
            }
            let idle = *known.idle.get_or_insert(now);
            if let Some(forgotten) = known.forgotten {
                return now.since(forgotten) < ON_ITS_WAY;
            }
            if now.since(idle) >= patience {
                known.forgotten = Some(now);
                sweep.forget.push(*id);
                self.told -= 1;
            }
            true
        });
        sweep.dropped = self.known.len() < before;
        worth.sort_unstable_by(|a, b| b.cmp(a));
        for (.., id) in worth.into_iter().take(PER_SECOND) {
            if let Some(known) = self.known.get_mut(&id) {
                known.asked = true;
                sweep.look_up.push(known.stack.clone());
            }
        }
        sweep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::ProcessId;

    fn at(seconds: u64) -> Time {
        Time(0) + Duration::from_secs(1000 + seconds)
    }

    fn stack(number: u64) -> RawStack {
        RawStack {
            at: at(0),
            id: StackId(number),
            process: ProcessId {
                pid: 7,
                start: Time(1),
            },
            slot: None,
            window: [0; 16],
            frames: [number].into(),
        }
    }

    fn open(counts: &[(u64, u32)]) -> HashMap<StackId, u32> {
        counts.iter().map(|(id, count)| (StackId(*id), *count)).collect()
    }

    #[test]
    fn what_has_several_open_is_looked_up_once_the_most_first() {
        let mut keeper = Keeper::new(100);
        for number in 20..23 {
            keeper.take(stack(number));
        }
        keeper.asked_about.extend(20..23);
        let counts = open(&[(20, 3), (21, 9), (22, 2)]);
        assert_eq!(keeper.sweep(&counts, at(1)).look_up, [stack(21), stack(20)]);
        assert_eq!(keeper.sweep(&counts, at(2)).look_up, []);
    }

    #[test]
    fn the_first_of_a_library_is_looked_up_at_once() {
        let mut keeper = Keeper::new(100);
        // The same offset in another page.
        for number in [20, 20 + 4096, 21] {
            keeper.take(stack(number));
        }
        let counts = open(&[(20, 1), (20 + 4096, 1), (21, 1)]);
        let asked: Vec<u64> = keeper
            .sweep(&counts, at(1))
            .look_up
            .iter()
            .map(RawStack::offset)
            .collect();
        assert_eq!(asked.len(), 2);
        assert!(asked.contains(&20) && asked.contains(&21));
        assert_eq!(keeper.sweep(&counts, at(2)).look_up, []);
        keeper.learn_again();
        assert_eq!(
            keeper.sweep(&counts, at(3)).look_up.len(),
            1,
            "the other one at the first offset"
        );
    }

    #[test]
    fn what_was_not_asked_about_can_be_asked_for_once() {
        let mut keeper = Keeper::new(100);
        for number in 20..23 {
            keeper.take(stack(number));
        }
        keeper.asked_about.extend(20..23);
        let counts = open(&[(20, 3), (21, 1)]);
        assert_eq!(keeper.sweep(&counts, at(1)).look_up, [stack(20)]);
        assert_eq!(keeper.not_asked(&counts), [stack(21)]);
        assert_eq!(keeper.not_asked(&counts), []);
        keeper.ask_again(StackId(21));
        assert_eq!(keeper.not_asked(&counts), [stack(21)]);
    }

    #[test]
    fn what_has_nothing_open_is_forgotten_by_the_kernel_first() {
        let mut keeper = Keeper::new(100);
        keeper.take(stack(20));
        assert_eq!(keeper.sweep(&open(&[]), at(59)).forget, []);
        assert_eq!(keeper.sweep(&open(&[]), at(60)).forget, [StackId(20)]);
        assert!(keeper.knows(StackId(20)), "a connection may be on its way");
        assert!(!keeper.sweep(&open(&[]), at(69)).dropped);
        assert!(keeper.sweep(&open(&[]), at(70)).dropped);
        assert!(!keeper.knows(StackId(20)));
    }

    #[test]
    fn what_was_on_its_way_keeps_its_stack() {
        let mut keeper = Keeper::new(100);
        keeper.take(stack(20));
        keeper.sweep(&open(&[]), at(60));
        keeper.sweep(&open(&[(20, 1)]), at(61));
        keeper.sweep(&open(&[(20, 1)]), at(1000));
        assert!(keeper.knows(StackId(20)));
    }

    #[test]
    fn what_is_told_again_counts_again() {
        let mut keeper = Keeper::new(4);
        keeper.take(stack(20));
        keeper.sweep(&open(&[]), at(60));
        keeper.take(RawStack {
            at: at(61),
            ..stack(20)
        });
        assert_eq!(keeper.told, 1);
        assert_eq!(keeper.sweep(&open(&[]), at(121)).forget, [StackId(20)]);
    }

    #[test]
    fn a_table_that_is_nearly_full_is_emptied_sooner() {
        let mut keeper = Keeper::new(4);
        for number in 20..23 {
            keeper.take(stack(number));
        }
        let mut forgotten = keeper.sweep(&open(&[(21, 1)]), at(2)).forget;
        forgotten.sort_unstable();
        assert_eq!(forgotten, [StackId(20), StackId(22)]);
    }

    #[test]
    fn more_than_the_kernel_can_know_is_refused() {
        let mut keeper = Keeper::new(2);
        for number in 20..30 {
            keeper.take(stack(number));
        }
        assert_eq!((keeper.known.len(), keeper.refused), (4, 6));
    }
}
