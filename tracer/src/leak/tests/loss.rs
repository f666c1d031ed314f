//! Events get lost; nobody is accused for it, and nobody gets away with it.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::{Bench, at, leak};
use crate::{
    leak::{Detector as _, finding::Stage},
    model::{
        connection::{ConnectionId, Phase, ProcessId},
        name::Comm,
        snapshot::{Held, Listener, ListenerId, Snapshot},
        time::Time,
    },
};

const SERVER: ProcessId = ProcessId {
    pid: 1,
    start: Time(1),
};

/// A process whose connections are what they are, whatever is told of them.
struct World {
    bench: Bench,
    held: BTreeSet<u64>,
    /// Whether the last snapshot missed something.
    undecided: bool,
}

impl World {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            held: BTreeSet::new(),
            undecided: false,
        }
    }

    fn open(&mut self, seconds: f64, lost: bool) -> u64 {
        let id = if lost {
            self.bench.next += 1;
            self.bench.next
        } else {
            self.bench.open(SERVER.pid, seconds)
        };
        self.held.insert(id);
        id
    }

    fn close(&mut self, id: u64, seconds: f64, lost: bool) {
        self.held.remove(&id);
        if !lost {
            self.bench.close(id, seconds);
        }
    }

    fn snapshot(&mut self, seconds: f64) {
        let held = self.held.iter().map(|id| Held {
            id: ConnectionId(*id),
            process: SERVER,
            comm: Comm::from("controller"),
            fd: 3,
            inode: *id,
            netns: 1,
            local: "10.0.0.7:9090".parse().unwrap(),
            peer: "10.0.0.7:40000".parse().unwrap(),
            phase: Phase::Open,
            at: at(seconds),
            age_at_least: std::time::Duration::ZERO,
            idle: std::time::Duration::ZERO,
            sent: 0,
            received: 0,
        });
        let listener = Listener {
            id: ListenerId(1),
            process: SERVER,
            comm: Comm::from("controller"),
            netns: 1,
            local: "0.0.0.0:9090".parse().unwrap(),
            queued: 0,
            queue_limit: 128,
            at: at(seconds),
        };
        let snapshot = Snapshot {
            began: at(seconds),
            held: held.collect(),
            listeners: vec![listener],
            ..Snapshot::default()
        };
        let mut facts = Vec::new();
        let Bench { ledger, rule, .. } = &mut self.bench;
        ledger.begin_snapshot();
        let reconciled = ledger.reconcile(&snapshot, at(seconds), |_| true, &mut facts);
        self.undecided = reconciled.missing > 0;
        for fact in &facts {
            rule.observe(fact);
        }
    }

    /// As the runtime does it: who is about to be accused is looked at again first.
    fn tick(&mut self, seconds: f64) -> Vec<Stage> {
        if self.undecided || self.bench.rule.is_suspicious(at(seconds), &self.bench.ledger) {
            self.snapshot(seconds);
        }
        self.bench.tick(seconds)
    }
}

#[test]
fn a_row_whose_closes_were_all_lost_is_not_told() {
    let mut world = World::new();
    for second in 0..300_u32 {
        let second = f64::from(second);
        let id = world.open(second, false);
        world.close(id, second + 0.2, true);
        assert_eq!(world.tick(second + 0.5), [], "second {second}");
    }
}

#[test]
fn one_lost_close_begins_the_row_anew_like_one_that_is_told() {
    let mut world = World::new();
    let ids: Vec<u64> = (0..12_u32)
        .map(|second| world.open(f64::from(second), false))
        .collect();
    world.close(ids[3], 12.0, true);
    assert!(world.bench.rule.is_suspicious(at(12.5), &world.bench.ledger));
    assert_eq!(world.tick(12.5), []);
    assert!(!world.bench.rule.is_suspicious(at(12.5), &world.bench.ledger));
    assert_eq!(world.tick(13.5), []);
    assert!(!world.undecided, "the second snapshot ended what was missing");
    for second in 14..24_u32 {
        world.open(f64::from(second), false);
    }
    assert_eq!(world.tick(23.5), [], "ten in nine seconds are too short a row");
    world.open(24.0, false);
    assert_eq!(world.tick(24.5), [Stage::Opened]);
    assert_eq!(leak(&world.bench.told[0]).evidence.opened, 11);
}

#[test]
fn what_was_found_does_not_stand_in_for_what_closed() {
    let mut world = World::new();
    let ids: Vec<u64> = (0..12_u32)
        .map(|second| world.open(f64::from(second), false))
        .collect();
    world.close(ids[3], 12.0, true);
    world.open(12.0, true);
    assert_eq!(
        world.tick(12.5),
        [],
        "twelve are held, of which one was not seen opening"
    );
}

#[test]
fn an_opening_that_was_told_late_is_part_of_its_row() {
    let mut world = World::new();
    world.open(0.2, false);
    // Of another CPU.
    world.open(0.1, false);
    for second in 1..12_u32 {
        world.open(f64::from(second), false);
    }
    assert_eq!(world.tick(11.5), [Stage::Opened]);
    assert_eq!(leak(&world.bench.told[0]).evidence.opened, 13);
}

/// Two events a step, an opening and a close, of which one in five is lost.
fn losses(steps: usize) -> impl Strategy<Value = Vec<(bool, bool)>> {
    let lost = || prop::bool::weighted(0.2);
    vec((lost(), lost()), steps)
}

proptest! {
    #[test]
    fn a_pool_is_not_accused_whatever_is_lost(losses in losses(240), size in 1..6_usize, pace in 1..4_u32) {
        let mut world = World::new();
        let mut pool = Vec::new();
        for (step, (open_lost, close_lost)) in (0_u32..).zip(losses) {
            let second = f64::from(step) / f64::from(pace);
            pool.push(world.open(second, open_lost));
            if pool.len() > size {
                world.close(pool.remove(0), second + 0.1, close_lost);
            }
            prop_assert_eq!(world.tick(second + 0.2), []);
            if step % 30 == 29 {
                world.snapshot(second + 0.3);
            }
        }
    }

    #[test]
    fn a_leak_is_accused_whatever_is_lost(losses in losses(60)) {
        let mut world = World::new();
        let mut told = Vec::new();
        for (step, (open_lost, _)) in (0_u32..).zip(losses) {
            let second = f64::from(step);
            world.open(second, open_lost);
            told.extend(world.tick(second + 0.2));
            if step % 30 == 29 {
                world.snapshot(second + 0.3);
            }
        }
        prop_assert_eq!(told.first(), Some(&Stage::Opened));
        prop_assert_eq!(told.iter().filter(|stage| **stage == Stage::Opened).count(), 1);
    }
}
