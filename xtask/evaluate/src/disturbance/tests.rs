use std::collections::HashSet;

use super::*;
use crate::{families, world::NEVER};

/// Each family once, with what befalls it, and as it would have been.
fn disturbed(disturbance: Disturbance) -> impl Iterator<Item = (World, Disturbed)> {
    families::all()
        .into_iter()
        .map(move |family| (family.world(1), family.disturbed(1, disturbance)))
}

#[test]
fn what_befalls_is_the_same_for_the_same_seed() {
    for disturbance in Disturbance::ALL {
        for family in families::all().into_iter().take(5) {
            let [one, other] = [(); 2].map(|()| family.disturbed(3, disturbance));
            assert!(one.world == other.world, "{}", family.name);
            assert_eq!(one.faults, other.faults);
        }
    }
}

#[test]
fn nobody_begins_to_leak() {
    for disturbance in Disturbance::ALL {
        for (plain, disturbed) in disturbed(disturbance) {
            let world = disturbed.world;
            let name = format!("{} {}", world.family, disturbance.name());
            assert_eq!(plain.leaks(), world.leaks(), "{name}");
            let leaks = world.connections.iter().filter(|row| row.leaks).count();
            assert_eq!(leaks > 0, plain.leaks(), "{name}");
        }
    }
}

#[test]
fn what_befalls_the_tracer_leaves_the_world_alone() {
    for disturbance in [Disturbance::Loss, Disturbance::TracerRestart] {
        for (plain, disturbed) in disturbed(disturbance) {
            assert!(plain == disturbed.world, "{}", plain.family);
            assert_ne!(disturbed.faults, Faults::default());
            if let Some((from, to)) = disturbed.faults.away {
                assert!(0.0 < from && from < to && to < plain.horizon, "{}", plain.family);
            }
        }
    }
}

#[test]
fn nothing_happens_in_sleep() {
    for (plain, disturbed) in disturbed(Disturbance::Sleep) {
        let world = disturbed.world;
        let &[(from, to)] = world.sleeps.as_slice() else {
            panic!("{}: it sleeps once", world.family)
        };
        let moments = world.connections.iter().flat_map(|row| {
            let lost = row.lost.map_or(NEVER, |(at, _)| at);
            [row.opened, row.closed, lost]
        });
        for at in moments {
            assert!(at <= from || to <= at, "{}: {at}", world.family);
        }
        assert!(
            (world.awake(world.horizon) - plain.horizon).abs() < 1e-3,
            "{}",
            world.family
        );
        assert_eq!(
            plain.connections.len(),
            world.connections.len(),
            "{}",
            world.family
        );
    }
}

#[test]
fn who_is_restarted_is_another_process_and_connects_again() {
    for disturbance in [Disturbance::ProcessRestart, Disturbance::PidReuse] {
        for (plain, disturbed) in disturbed(disturbance) {
            let world = disturbed.world;
            let name = format!("{} {}", world.family, disturbance.name());
            let restarted = world.processes.len() - plain.processes.len();
            assert!(restarted > 0, "{name}");
            let heirs = world.processes.get(plain.processes.len()..).unwrap();
            let pids: HashSet<u32> = plain.processes.iter().map(|process| process.pid).collect();
            for heir in heirs {
                assert_eq!(
                    pids.contains(&heir.pid),
                    disturbance == Disturbance::PidReuse,
                    "{name}"
                );
            }
            let ids: HashSet<_> = (0..world.processes.len())
                .map(|process| world.process_id(process))
                .collect();
            assert_eq!(ids.len(), world.processes.len(), "{name}");
            for row in &world.connections {
                let process = &world.processes[row.process];
                assert!(row.opened <= row.closed, "{name}: {row:?}");
                assert!(
                    process.started <= row.opened && row.closed <= process.ends,
                    "{name}: {row:?} {process:?}"
                );
                assert!(
                    row.lost.is_none_or(|(at, _)| row.opened <= at && at < row.closed),
                    "{name}: {row:?}"
                );
            }
            assert!(
                world.connections.is_sorted_by(|a, b| a.opened <= b.opened),
                "{name}"
            );
        }
    }
}

#[test]
fn a_warm_pool_is_connected_again_and_a_leak_is_not() {
    let all = families::all();
    let open_at_the_end = |name| {
        let family = all.iter().find(|family| family.name == name).unwrap();
        let count = |world: &World| {
            let end = world.horizon - 1.0;
            let open = world.connections.iter().filter(|row| row.is_open(end));
            open.count()
        };
        let plain = family.world(2);
        let disturbed = family.disturbed(2, Disturbance::ProcessRestart).world;
        (count(&plain), count(&disturbed))
    };
    let (plain, disturbed) = open_at_the_end("H_pool_warmup");
    assert_eq!(plain, disturbed);
    let (plain, disturbed) = open_at_the_end("L_half_way");
    assert!(disturbed < plain, "{disturbed} of {plain}");
}
