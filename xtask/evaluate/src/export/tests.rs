use std::collections::HashSet;

use tracer::recording::line::Line as Read;

use super::*;
use crate::families;

/// The lines of a world of a family, as the tracer reads them.
fn read(family: &str) -> (World, Vec<Read>) {
    let all = families::all();
    let world = all.iter().find(|one| one.name == family).unwrap().world(1);
    let mut text = Vec::new();
    write(&world, &mut text).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines();
    let lines = lines.map(|line| Read::parse(line).unwrap().expect("a kind that is known"));
    let lines = lines.collect();
    (world, lines)
}

#[test]
fn the_tracer_can_read_every_line_and_they_are_in_order() {
    for family in [
        "L_demo",
        "L_accept_queue",
        "L_black_hole",
        "L_dead_held",
        "L_restarts",
        "L_accumulated_server",
        "H_rolling_deploy",
        "H_resets",
    ] {
        let (world, lines) = read(family);
        assert!(matches!(lines.first(), Some(Read::Header(_))), "{family}");
        assert!(lines.is_sorted_by_key(Read::ts), "{family}");
        assert_eq!(
            lines.last().map(Read::ts),
            Some(world.time(world.horizon)),
            "{family}"
        );
    }
}

#[test]
fn every_connection_of_the_world_is_in_it_once() {
    for family in ["L_accumulated_server", "H_rolling_deploy", "L_accept_queue"] {
        let (world, lines) = read(family);
        let mut opened = HashSet::new();
        for line in &lines {
            let id = match line {
                Read::Opened(opened) => opened.id,
                Read::Unaccepted(waiting) => waiting.id,
                _ => continue,
            };
            assert!(opened.insert(id), "{family}: {id:?} opens twice");
        }
        let seen = world
            .connections
            .iter()
            .filter(|row| row.closed >= 0.0 && row.opened <= world.horizon);
        assert_eq!(opened.len(), seen.count(), "{family}");
        let older = lines
            .iter()
            .filter(|line| matches!(line, Read::Opened(opened) if opened.preexisting == Some(true)));
        let before = world.connections.iter().filter(|row| row.opened < 0.0);
        assert_eq!(older.count(), before.count(), "{family}");
    }
}

#[test]
fn processes_are_known_before_they_act() {
    let (world, lines) = read("L_restarts");
    let mut known = HashSet::new();
    let mut exited = 0;
    for line in lines {
        match line {
            Read::Process(process) => {
                assert!(process.nofile == Some(1024) && process.fds.is_some());
                known.insert((process.pid, process.start));
            }
            Read::Opened(opened) => assert!(known.contains(&(opened.pid, opened.start)), "{opened:?}"),
            Read::ProcessExit(exit) => {
                assert!(known.contains(&(exit.pid, exit.start)));
                exited += 1;
            }
            _ => {}
        }
    }
    assert!(
        known.len() > 2 && exited == known.len() - 1,
        "{exited} of {}",
        known.len()
    );
    assert!(world.leaks());
}

#[test]
fn what_carries_data_is_told_and_what_is_silent_is_told_once() {
    let (world, lines) = read("H_lifo_pool");
    let mut told: HashMap<ConnectionId, usize> = HashMap::new();
    for line in lines {
        if let Read::Activity(activity) = line {
            *told.entry(activity.id).or_default() += 1;
        }
    }
    for (number, row) in world.connections.iter().enumerate() {
        let lasts = row.closed.min(world.horizon) - row.opened.max(0.0);
        let count = told.get(&kernel::id(number)).copied().unwrap_or_default();
        if row.every.is_infinite() {
            assert!(count <= 2, "{count}: {row:?}");
        } else if lasts > 3.0 * CARRIED && row.every < CARRIED {
            assert!(count > 1, "{count}: {row:?}");
        }
    }
}

#[test]
fn the_truth_names_who_leaks() {
    let (world, _) = read("L_demo");
    let truth = truth(&world, "L_demo-1.jsonl");
    assert_eq!(truth["leaks"], true);
    assert_eq!(truth["processes"][0][0], world.processes[0].pid);
    assert_eq!(truth["peers"][0], world.connections[0].peer.ip().to_string());
    assert!(truth["onset"].as_u64() < truth["exhausted"].as_u64());
}
