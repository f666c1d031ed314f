//! What nobody uses any more, beside much that comes and goes.

use std::{collections::VecDeque, time::Duration};

use super::world::{HOUR, World};
use crate::{
    leak::{evidence::Basis, finding::Stage},
    model::connection::ConnectionId,
};

/// Minutes between two steps.
const STEP: u64 = 10;

/// A fleet whose sessions last for some hours each and are used, and beside it one connection in a step that carries
/// data once; `lives` is how long each of these stays.
struct Gateway {
    world: World,
    fleet: VecDeque<u64>,
    silent: VecDeque<(u64, u64)>,
}

impl Gateway {
    const FLEET: usize = 200;

    fn new() -> Self {
        let mut world = World::new(1024);
        let fleet = (0..Self::FLEET).map(|_| world.open()).collect();
        Self {
            world,
            fleet,
            silent: VecDeque::new(),
        }
    }

    fn run(&mut self, hours: u64, lives: u64) {
        for _ in 0..hours * 60 / STEP {
            // Sessions of eleven hours.
            for _ in 0..3 {
                let old = self.fleet.pop_front().unwrap();
                self.world.close(old);
                let new = self.world.open();
                self.fleet.push_back(new);
            }
            let id = self.world.open();
            let now = self.world.at();
            self.world
                .ledger
                .note_traffic(ConnectionId(id), (1, 1), Duration::ZERO, now);
            self.silent.push_back((id, self.world.now));
            while let Some((id, opened)) = self.silent.front().copied()
                && self.world.now - opened >= lives
            {
                self.world.close(id);
                self.silent.pop_front();
            }
            let used: Vec<u64> = self.fleet.iter().copied().collect();
            self.world.pass_in_use(STEP * 60, &used);
        }
    }
}

#[test]
fn what_nobody_uses_is_told_beside_a_fleet_that_comes_and_goes() {
    let mut gateway = Gateway::new();
    let began = gateway.world.now;
    gateway.run(30, u64::MAX);
    let (at, leak) = gateway.world.first();
    assert_eq!(leak.basis, Basis::Dormant);
    assert!(
        at - began <= 30 * HOUR,
        "the limit is days away: it is told after one"
    );
    assert!(leak.open < 512, "{}: more than half of the limit", leak.open);
    // What was forgotten is closed; the fleet stays.
    for (id, _) in std::mem::take(&mut gateway.silent) {
        gateway.world.close(id);
    }
    gateway.run(1, 0);
    assert_eq!(
        gateway.world.stages().last(),
        Some(&Stage::Resolved(crate::leak::finding::Resolution::Drained))
    );
}

#[test]
fn idle_connections_that_are_closed_in_time_are_no_leak() {
    let mut gateway = Gateway::new();
    gateway.run(32, 3 * HOUR);
    assert_eq!(gateway.world.told, []);
}
