use std::collections::HashSet;

use super::*;
use crate::world::{Entrance, NEVER};

const SEEDS: u64 = 3;

fn worlds() -> impl Iterator<Item = (Family, World)> {
    all()
        .into_iter()
        .flat_map(|family| (0..SEEDS).map(move |seed| (family, family.world(seed))))
}

#[test]
fn the_same_seed_makes_the_same_world() {
    for family in all() {
        let (one, other) = (family.world(3), family.world(3));
        // Not with `assert_eq`: a world is megabytes of text.
        assert!(one == other, "{}", family.name);
        let next = family.world(4);
        assert!(one.connections != next.connections, "{}", family.name);
    }
}

#[test]
fn names_are_unique_and_say_what_leaks() {
    let all = all();
    let names: HashSet<&str> = all.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.len() >= 30, "{}", all.len());
    for family in all {
        let (prototype, _) = family.name.split_once('_').unwrap();
        let says_leak = match prototype {
            "X" => true,
            "Y" => false,
            "L" | "H" => prototype == "L",
            _ => family.name.contains("_L_"),
        };
        assert_eq!(says_leak, family.leaks, "{}", family.name);
    }
}

#[test]
fn leaks_leak_and_the_healthy_do_not() {
    for (family, world) in worlds() {
        let name = format!("{} {}", family.name, world.seed);
        let leaked = world
            .connections
            .iter()
            .filter(|connection| connection.leaks)
            .count();
        assert_eq!(family.leaks, world.leaks(), "{name}");
        if !family.leaks {
            assert_eq!(leaked, 0, "{name}");
            continue;
        }
        let onset = world.onset.unwrap();
        assert!(onset < world.horizon, "{name}: the leak never begins");
        assert!(leaked >= 5, "{name}: {leaked}");
        // It ends where nothing more can open, or holds what leaked; a garbage collector closes it in the end.
        let late = world.leaked_at(0.999 * world.horizon);
        assert!(
            world.exhausted.is_finite() || late >= 3 || family.name == "L_finalizer",
            "{name}: {late}"
        );
    }
}

/// Healthy processes are far from their limits, but for those that hold a known number.
#[test]
fn healthy_worlds_live_within_their_limits() {
    for (family, world) in worlds().filter(|(family, _)| !family.leaks) {
        let mut changes: Vec<(f64, i64)> = world
            .connections
            .iter()
            .flat_map(|row| [(row.opened, 1), (row.closed, -1)])
            .filter(|(at, _)| *at < NEVER)
            .collect();
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let most = changes
            .iter()
            .scan(0, |open, (_, change)| {
                *open += change;
                Some(*open)
            })
            .max()
            .unwrap_or_default();
        let limit = world.processes.iter().map(|process| process.limit).max().unwrap();
        assert!(
            most < i64::from(limit),
            "{} {}: {most} of {limit}",
            family.name,
            world.seed
        );
    }
}

#[test]
fn every_row_makes_sense() {
    for (family, world) in worlds() {
        let name = format!("{} {}", family.name, world.seed);
        assert!(!world.connections.is_empty(), "{name}");
        assert!(
            world.connections.len() < 120_000,
            "{name}: {}",
            world.connections.len()
        );
        assert!(
            world.connections.is_sorted_by(|a, b| a.opened <= b.opened),
            "{name}"
        );
        for row in &world.connections {
            let process = &world.processes[row.process];
            assert!(row.opened <= row.closed, "{name}: {row:?}");
            assert!(
                process.started <= row.opened && row.closed <= process.ends,
                "{name}: {row:?}"
            );
            assert!(
                row.lost.is_none_or(|(at, _)| row.opened <= at && at < row.closed),
                "{name}: {row:?}"
            );
            assert!(row.every > 0.0 && row.used_for >= 0.0, "{name}: {row:?}");
            assert!(
                row.entrance != Entrance::Unaccepted || world.leaks(),
                "{name}: only a server that is stuck does not accept"
            );
        }
    }
}
