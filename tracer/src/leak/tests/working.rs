//! What is in use, what is renewed, and what comes back: growth that is load, and growth that only looks like that.

use super::world::{HOUR, World};
use crate::{
    leak::evidence::Basis,
    model::{
        connection::{Direction, ProcessId},
        time::Time,
    },
};

/// A pool of ten more every two hours, whose connections are replaced after half an hour; gives what is told first, and
/// how many are open then.
fn pools(hours: u64, in_use: bool) -> Option<(Basis, u32)> {
    const POOL: usize = 10;
    const LIFE: u64 = HOUR / 2;
    let mut world = World::new(1024);
    world.ledger.expect_traffic();
    let mut pools: Vec<Vec<u64>> = Vec::new();
    for half in 0..2 * hours {
        if half.is_multiple_of(4) {
            pools.push(Vec::new());
        }
        for pool in &mut pools {
            let old = std::mem::take(pool);
            pool.extend((0..POOL).map(|_| world.open()));
            for id in old {
                world.close(id);
            }
        }
        let used: Vec<u64> = if in_use {
            pools.iter().flatten().copied().collect()
        } else {
            Vec::new()
        };
        world.pass_in_use(LIFE, &used);
    }
    let told = !world.told.is_empty();
    told.then(|| world.first().1).map(|leak| (leak.basis, leak.open))
}

#[test]
fn forgotten_pools_that_go_on_renewing_themselves_are_told() {
    let (basis, open) = pools(36, false).expect("it is told");
    assert_eq!(basis, Basis::Renewed);
    assert!(open < 512, "{open}: more than half of the limit");
    assert_eq!(pools(24, false), None, "not before a day has passed");
}

#[test]
fn pools_in_use_that_renew_themselves_are_load() {
    assert_eq!(pools(36, true), None);
}

#[test]
fn workers_in_use_that_are_far_from_any_limit_are_left_alone() {
    let mut world = World::new(100_000);
    let mut used = Vec::new();
    // In a beat, which lowers what is needed.
    for _ in 0..55 {
        used.push(world.open());
        world.pass_in_use(600, &used.clone());
    }
    assert_eq!(world.told, []);
}

#[test]
fn a_crowd_does_not_need_less_the_more_of_it_is_there() {
    let mut world = World::new(1024);
    world.direction = Direction::Inbound;
    let mut used = Vec::new();
    // 240 within three hours, as they come.
    for pause in [11, 79].repeat(120) {
        used.push(world.open());
        world.pass_in_use(pause, &used.clone());
    }
    assert_eq!(world.told, []);
}

#[test]
fn what_comes_back_after_a_restart_is_no_surge() {
    let mut world = World::new(1024);
    let fleet = world.leak(60, 60, 500);
    world.pass(HOUR);
    for id in fleet {
        world.close(id);
    }
    world.ledger.note_exit(world.process);
    world.pass(60);
    world.process = ProcessId {
        pid: 4712,
        start: Time(world.now),
    };
    world.leak(100, 1, 5);
    world.pass(60);
    assert_eq!(world.told, []);
    // Beyond what there was before, it is one.
    world.leak(30, 1, 5);
    assert_eq!(world.first().1.basis, Basis::Surge);
}

/// Connections to ten peers in turn, five a second.
fn connect_around(world: &mut World, seconds: u32) -> Vec<u64> {
    let mut ids = Vec::new();
    for second in 0..seconds {
        ids.extend((0..5).map(|number| world.open_to((5 * second + number) % 10)));
        world.pass(1);
    }
    ids
}

/// A process with ten peers ends, and after this many seconds another one with its name begins; gives what is told.
fn restart_after(pause: u64) -> usize {
    let mut world = World::new(1024);
    let fleet: Vec<u64> = (0..500).map(|number| world.open_to(number % 10)).collect();
    world.pass(HOUR);
    for id in fleet {
        world.close(id);
    }
    world.ledger.note_exit(world.process);
    world.pass(pause);
    world.process = ProcessId {
        pid: 4712,
        start: Time(world.now),
    };
    assert_eq!(world.told, []);
    connect_around(&mut world, 95);
    world.pass(60);
    world.told.len()
}

#[test]
fn what_a_process_had_in_all_comes_back_after_its_restart_too() {
    assert_eq!(restart_after(60), 0);
    assert!(
        restart_after(2 * HOUR) > 0,
        "it may be another program of that name"
    );
}

#[test]
fn a_crowd_that_has_just_come_is_no_surge_while_there_is_room() {
    let mut world = World::new(1024);
    world.direction = Direction::Inbound;
    world.ledger.expect_traffic();
    let come = |world: &mut World, seconds: std::ops::Range<u32>| {
        for second in seconds {
            for number in 0..4 {
                world.open_to(4 * second + number);
            }
            world.pass(1);
        }
    };
    come(&mut world, 0..130);
    assert_eq!(world.told, [], "520 of 1024, one of each");
    come(&mut world, 130..210);
    assert!(!world.told.is_empty(), "840 of 1024, whoever they are");
}
