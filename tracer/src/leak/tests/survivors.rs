//! What the survivor rule finds, how soon, and what it leaves alone.

use crate::{
    leak::{
        evidence::{Basis, Class, Leak, Scope, Severity, Tier},
        finding::{Finding, Kind, Resolution, Rule, Stage},
        thresholds::Sensitivity,
    },
    model::connection::ProcessId,
};

use super::world::{HOUR, World, leak};

#[test]
fn the_founding_leak_is_suspected_within_the_hour_and_confirmed_later() {
    let mut world = World::new(1024);
    let began = world.now;
    world.leak(2 * HOUR, 30, 3);
    let (at, leak) = world.first();
    assert!(at - began <= HOUR, "after {} s", at - began);
    assert!(leak.open < 512, "{} open: more than half of the limit", leak.open);
    assert!(matches!(leak.basis, Basis::Survivors { .. }), "{:?}", leak.basis);
    assert!(matches!(leak.scope, Scope::Group(_)), "{:?}", leak.scope);
    assert_eq!(
        leak.tier,
        Tier::Suspected,
        "a pool that is filling looks the same"
    );
    let evidence = &leak.evidence;
    assert_eq!((evidence.closed, evidence.left), (0, 0));
    assert_eq!(evidence.survivors.len(), 6);
    let cadence = evidence.cadence.expect("a loop has a beat");
    assert_eq!((cadence.burst, cadence.every.as_secs()), (3, 30));
    let rate = evidence.per_hour.expect("it grows");
    assert!(
        rate.low <= 360.0 && 360.0 <= rate.high,
        "{rate:?} is not 360 an hour"
    );
    let forecast = leak.forecast.expect("there is a limit");
    // 360 an hour from nothing to 1024 - 10.
    let ends = at - began + forecast.expected.as_secs();
    assert!(ends.abs_diff(10_140) < 900, "the end is foretold for {ends} s");
    assert!(forecast.earliest <= forecast.expected);
    assert_eq!(leak.samples.len(), Leak::SAMPLES);
    let (_, last) = world.told.last().unwrap();
    assert_eq!(
        self::leak(last).severity,
        Severity::Critical,
        "an hour from the limit"
    );
}

#[test]
fn a_leak_beside_healthy_traffic_is_found() {
    let mut world = World::new(1024);
    for second in 0..4 * HOUR {
        let short = world.open();
        world.tick();
        world.close(short);
        if second.is_multiple_of(60) {
            world.open();
        }
    }
    let (_, leak) = world.first();
    assert!(leak.evidence.closed > 1000, "{}", leak.evidence.closed);
    assert!(leak.open < 512, "{}", leak.open);
    assert_eq!(world.stages()[0], Stage::Opened);
}

#[test]
fn a_pool_that_fills_and_stays_is_no_leak() {
    let mut world = World::new(1024);
    world.leak(20 * 60, 20, 1);
    world.pass(6 * HOUR);
    assert_eq!(world.told, []);
}

#[test]
fn a_pool_in_use_that_is_made_larger_now_and_then_is_no_leak() {
    let mut world = World::new(1024);
    let mut pool = Vec::new();
    // Each third of any window of a day has its share, but not each period.
    for more in [20, 20, 20, 20] {
        for _ in 0..more {
            pool.push(world.open());
            world.pass_in_use(10, &pool.clone());
        }
        world.pass_in_use(7 * HOUR, &pool.clone());
    }
    assert_eq!(world.told, []);
}

#[test]
fn a_pinged_leak_is_told_although_its_connections_carry_data() {
    let mut world = World::new(1024);
    let mut leaked = Vec::new();
    for _ in 0..28 * 6 {
        leaked.push(world.open());
        world.pass_in_use(600, &leaked.clone());
    }
    let (_, leak) = world.first();
    assert!(leak.open < 512, "{}", leak.open);
    assert_eq!(leak.class, Class::Kept);
}

/// How many are open when a leak is told that opens twelve a minute, without a beat, all in use; `None` if that is not
/// within 43 min.
fn told_of_fast_pinged_ones(limit: u64) -> Option<u32> {
    let mut world = World::new(limit);
    let mut leaked = Vec::new();
    for _ in 0..43 * 4 {
        for pause in [1, 3, 11] {
            leaked.push(world.open());
            world.pass_in_use(pause, &leaked.clone());
        }
    }
    world.told.first().map(|(_, finding)| leak(finding).open)
}

#[test]
fn where_half_of_the_limit_would_be_gone_half_a_window_does() {
    let open = told_of_fast_pinged_ones(1024).expect("it is told");
    assert!(open < 512, "{open} open: more than half of the limit");
    assert_eq!(
        told_of_fast_pinged_ones(1 << 16),
        None,
        "there is time for the rest"
    );
}

/// One connection to each of ever more peers, one every other minute; gives how many there were when it was told.
fn discover(in_use: bool) -> Option<u32> {
    let mut world = World::new(1024);
    let mut all = Vec::new();
    for peer in 0..440 {
        all.push(world.open_to(peer));
        let used = if in_use { all.clone() } else { Vec::new() };
        world.pass_in_use(120, &used);
    }
    world.told.first().map(|(_, finding)| leak(finding).open)
}

#[test]
fn a_mesh_in_use_that_finds_ever_more_peers_is_no_leak() {
    assert_eq!(discover(true), None);
    assert!(discover(false).expect("nobody uses these") < 200);
}

#[test]
fn connections_that_live_for_hours_are_no_leak_once_as_many_leave_as_come() {
    let mut world = World::new(1024);
    let mut open = std::collections::VecDeque::new();
    for second in 0..10 * HOUR {
        if second.is_multiple_of(60) {
            open.push_back(world.open());
        }
        if open.len() > 30 {
            let oldest = open.pop_front().unwrap();
            world.close(oldest);
        }
        world.tick();
    }
    assert_eq!(world.told, []);
}

#[test]
fn a_limit_that_goes_in_seconds_is_seen_in_seconds() {
    let mut world = World::new(64);
    world.pass(60);
    let began = world.now;
    world.leak(14, 1, 3);
    let (at, leak) = world.first();
    assert!(at - began <= 15, "after {} s", at - began);
    assert_eq!((leak.basis, leak.severity), (Basis::Surge, Severity::Critical));
    assert!(leak.forecast.is_some());
}

#[test]
fn a_surge_is_measured_by_the_descriptors_that_are_left_to_it() {
    let mut world = World::new(64);
    // 30 files, and 10 by the books of this test.
    world.files = 30;
    world.pass(60);
    let began = world.now;
    world.leak(24, 2, 1);
    let (at, leak) = world.first();
    assert!(at - began <= 24, "after {} s", at - began);
    assert_eq!(leak.basis, Basis::Surge);
    assert!(leak.open <= 12, "{} of 24", leak.open);
}

#[test]
fn what_comes_back_after_a_cut_is_no_surge() {
    let mut world = World::new(1024);
    let fleet = world.leak(60, 60, 500);
    world.pass(HOUR);
    for id in fleet {
        world.close(id);
    }
    world.pass(60);
    world.leak(100, 1, 5);
    world.pass(60);
    assert_eq!(world.told, []);
    // Beyond what there was before, it is one.
    world.leak(30, 1, 5);
    assert_eq!(world.first().1.basis, Basis::Surge);
}

#[test]
fn what_has_time_waits_until_it_is_known_to_be_forgotten() {
    let first = |limit| {
        let mut world = World::new(limit);
        world.ledger.expect_traffic();
        let began = world.now;
        world.leak(8 * HOUR, 40, 1);
        let (at, leak) = world.first();
        (at - began, leak.open)
    };
    // The limit is 11 h away, and 45 days.
    let (soon, late) = (first(1024), first(100_000));
    assert!(soon.0 <= 90 * 60, "{soon:?}");
    assert!((2 * HOUR..4 * HOUR).contains(&late.0), "{late:?}");
}

#[test]
fn a_leak_of_some_hours_each_night_is_found_once_nobody_has_used_it_for_long() {
    let mut world = World::new(1024);
    world.ledger.expect_traffic();
    for _ in 0..6 {
        world.leak(2 * HOUR, 360, 1);
        world.pass(22 * HOUR);
    }
    let (_, leak) = world.first();
    assert!(leak.open < 512, "{}", leak.open);
}

#[test]
fn a_burst_is_no_surge() {
    let mut world = World::new(1024);
    world.pass(60);
    for _ in 0..600 {
        world.open();
    }
    world.pass(300);
    assert_eq!(world.told, []);
}

#[test]
fn what_the_peer_has_closed_counts_for_more() {
    let mut world = World::new(1024);
    for second in 0..2 * HOUR {
        if second.is_multiple_of(60) {
            let id = world.open();
            world.tick();
            world.peer_closes(id);
        } else {
            world.tick();
        }
    }
    let (_, leak) = world.first();
    assert!(matches!(leak.basis, Basis::PeerGone { .. }), "{:?}", leak.basis);
    assert_eq!((leak.class, leak.tier), (Class::CloseMissing, Tier::Suspected));
    assert!(leak.open <= 30, "{}", leak.open);
    let (_, last) = world.told.last().unwrap();
    assert_eq!(self::leak(last).tier, Tier::Confirmed, "a longer window agrees");
}

#[test]
fn one_connection_to_each_of_many_backends_is_one_finding() {
    let mut world = World::new(1024);
    for minute in 0..8 * 60 {
        world.open_to(minute % 500);
        world.pass(60);
    }
    let opened: Vec<&Finding> = world
        .told
        .iter()
        .map(|(_, finding)| finding)
        .filter(|finding| finding.stage == Stage::Opened)
        .collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    let Scope::Process { peers, .. } = leak(opened[0]).scope else {
        panic!("{:?}", leak(opened[0]).scope)
    };
    assert!(peers > 100, "{peers}");
}

#[test]
fn a_mass_close_is_one_line_and_the_same_leak_again_has_the_same_name() {
    let mut world = World::new(1024);
    let ids = world.leak(HOUR, 30, 3);
    let before = world.told.len();
    for id in ids {
        world.close(id);
    }
    world.pass(60);
    let stages = world.stages().split_off(before);
    assert_eq!(stages, [Stage::Resolved(Resolution::Drained)]);
    let number = world.told[0].1.id.number;
    world.leak(2 * HOUR, 30, 3);
    let again = &world.told[before + 1].1;
    assert_eq!((again.stage, again.id.number), (Stage::Opened, number));
}

#[test]
fn the_next_process_that_does_the_same_goes_on_with_the_finding() {
    let mut world = World::new(1024);
    let ids = world.leak(HOUR, 30, 3);
    let number = world.told[0].1.id.number;
    for id in ids {
        world.close(id);
    }
    world.ledger.note_exit(world.process);
    world.pass(30);
    let (_, ended) = world.told.last().unwrap();
    assert_eq!(ended.stage, Stage::Resolved(Resolution::ProcessExited));
    world.process = ProcessId {
        pid: 4712,
        start: world.at(),
    };
    world.leak(HOUR, 30, 3);
    let (_, again) = world
        .told
        .iter()
        .find(|(_, finding)| finding.process.pid == 4712)
        .expect("it is found again");
    assert_eq!((again.id.number, leak(again).lives), (number, 2));
}

#[test]
fn lives_that_are_too_short_for_a_verdict_add_up() {
    let lives = restarted(40 * 60, 30).expect("it is found");
    assert!(lives >= 3, "{lives}");
    // 15 an hour and a restart each 70 min: too few in any life.
    assert!(restarted(70 * 60, 240).is_some());
    assert_eq!(restarted(70 * 60, 1200), None, "three in a life are no growth");
}

/// Six lives of a program that opens one connection every so many seconds and keeps it; gives the lives that were told.
fn restarted(life_seconds: u64, every: u64) -> Option<u32> {
    let mut world = World::new(1024);
    for life in 0..6 {
        world.process = ProcessId {
            pid: 5000 + life,
            start: world.at(),
        };
        let ids = world.leak(life_seconds, every, 1);
        for id in ids {
            world.close(id);
        }
        world.ledger.note_exit(world.process);
        world.pass(20);
    }
    let (_, finding) = world.told.first()?;
    let leak = leak(finding);
    assert_eq!(leak.basis, Basis::Restarts);
    Some(leak.lives)
}

/// Generations of connections that go all at once, five times.
fn saw(in_use: bool) -> World {
    let mut world = World::new(1024);
    for _ in 0..5 {
        let mut ids = Vec::new();
        for _ in 0..36 {
            ids.push(world.open());
            let used = if in_use { ids.clone() } else { Vec::new() };
            world.pass_in_use(150, &used);
        }
        for id in ids {
            world.close(id);
        }
    }
    world
}

#[test]
fn generations_that_go_all_at_once_are_a_saw() {
    let world = saw(false);
    let (_, leak) = world.first();
    assert!(matches!(leak.basis, Basis::Sawtooth { .. }), "{:?}", leak.basis);
    assert_eq!(
        leak.tier,
        Tier::Suspected,
        "jobs that wait for each other make one, too"
    );
}

#[test]
fn workers_that_come_with_the_work_and_go_with_it_are_no_saw() {
    assert_eq!(saw(true).told, []);
}

#[test]
fn what_is_in_use_again_as_much_as_before_is_no_leak() {
    let mut world = World::new(1024);
    let mut used: Vec<u64> = (0..200).map(|_| world.open()).collect();
    world.pass_in_use(6 * HOUR, &used.clone());
    for id in used.drain(10..) {
        world.close(id);
    }
    // As slowly as the leak that is told although it is pinged.
    for _ in 0..28 * 6 {
        used.push(world.open());
        world.pass_in_use(600, &used.clone());
    }
    assert_eq!(world.told, []);
}

#[test]
fn a_process_that_has_used_up_its_descriptors_is_told_with_what_fills_them() {
    let mut world = World::new(100);
    for peer in 0..85 {
        world.open_to(peer);
    }
    world.pass(60);
    let exhausted: Vec<&Finding> = world
        .told
        .iter()
        .map(|(_, finding)| finding)
        .filter(|finding| finding.id.rule == Rule::Limit)
        .collect();
    let [finding] = exhausted[..] else {
        panic!("{:?}", world.told)
    };
    let Kind::Exhaustion(exhaustion) = &finding.kind else {
        panic!("{finding:?}")
    };
    assert_eq!((exhaustion.used, exhaustion.limit), (95, 100));
    assert_eq!(exhaustion.groups.len(), Leak::MEMBERS);
}

#[test]
fn sensitivity_moves_the_verdict() {
    let first = |sensitivity| {
        let mut world = World::with(sensitivity, 1024);
        let began = world.now;
        world.leak(3 * HOUR, 30, 3);
        world.told.first().map_or(u64::MAX, |(at, _)| at - began)
    };
    let [low, normal, high] = [Sensitivity::Low, Sensitivity::Normal, Sensitivity::High].map(first);
    assert!(
        high <= normal && normal <= low && high < low,
        "{high} {normal} {low}"
    );
}

#[test]
fn the_same_history_gives_the_same_findings() {
    let run = || {
        let mut world = World::new(256);
        for peer in 0..40 {
            world.open_to(peer);
        }
        world.leak(HOUR, 10, 1);
        world.told
    };
    assert_eq!(run(), run());
}
