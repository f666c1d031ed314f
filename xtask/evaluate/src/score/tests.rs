use tracer::model::connection::Direction;

use super::*;
use crate::{random::Random, scene::Scene};

/// Whether two times are the same to a microsecond.
fn same(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-6, "{got} is not {wanted}");
}

/// One connection leaks each minute, from the hour on, under a limit of 1024.
fn leaking() -> World {
    let mut scene = Scene::new(Random::new("a test", 1), 4.0 * HOUR);
    scene
        .open((60..).map(|minute| f64::from(minute) * 60.0).take(180))
        .leak();
    scene.finish("a test", 1, true).until_exhausted()
}

fn healthy() -> World {
    let mut scene = Scene::new(Random::new("a test", 1), 4.0 * HOUR);
    scene.open([10.0, 20.0]).live(|| 30.0);
    scene.finish("a test", 1, false).until_exhausted()
}

fn accusation(world: &World, from: f64, to: f64) -> Accusation {
    Accusation {
        to,
        ..Accusation::new(from, Accused::Group(world.process_id(0), peer(world)))
    }
}

fn peer(world: &World) -> PeerKey {
    world.connections[0].peer_key()
}

#[test]
fn a_leak_is_found_by_the_first_that_names_it_after_its_onset() {
    let world = leaking();
    let said = [
        accusation(&world, 2.0 * HOUR, NEVER),
        accusation(&world, 1.5 * HOUR, 1.6 * HOUR),
    ];
    let outcome = judge(&world, &said);
    let hit = outcome.hit.unwrap();
    same(hit.after, 0.5 * HOUR);
    assert_eq!(hit.leaked, 31, "at 60, 61, ... 90 min");
    assert!(hit.before_half);
    assert_eq!((outcome.false_alarms, outcome.healthy_hours), (0, 1.0));
    assert!(!outcome.confirmed);
}

#[test]
fn what_began_before_the_leak_is_a_false_alarm_even_if_it_lasts() {
    let world = leaking();
    let outcome = judge(&world, &[accusation(&world, 0.5 * HOUR, NEVER)]);
    assert_eq!((outcome.hit, outcome.false_alarms), (None, 1));
}

#[test]
fn the_innocent_are_no_hit() {
    let world = leaking();
    let other_port = PeerKey {
        service_port: 1,
        ..peer(&world)
    };
    let other_direction = Accused::Peer(Direction::Inbound, peer(&world).peer);
    let said = [
        Accused::Group(ProcessId::KERNEL, peer(&world)),
        Accused::Process(ProcessId::KERNEL),
        Accused::Group(world.process_id(0), other_port),
        other_direction,
    ];
    let outcome = judge(&world, &said.map(|who| Accusation::new(2.0 * HOUR, who)));
    assert_eq!(outcome.hit, None);
    assert_eq!(outcome.first_false, Some(2.0 * HOUR));
}

#[test]
fn a_process_or_a_peer_may_be_accused_as_a_whole() {
    let world = leaking();
    for who in [
        Accused::Process(world.process_id(0)),
        Accused::Peer(Direction::Outbound, peer(&world).peer),
    ] {
        let outcome = judge(&world, &[Accusation::new(2.0 * HOUR, who)]);
        assert!(outcome.hit.is_some() && outcome.false_alarms == 0, "{who:?}");
    }
}

#[test]
fn false_alarms_within_an_hour_are_one() {
    let world = healthy();
    let said = |spans: &[(f64, f64)]| -> usize {
        let said: Vec<Accusation> = spans
            .iter()
            .map(|(from, to)| accusation(&world, from * HOUR, to * HOUR))
            .collect();
        judge(&world, &said).false_alarms
    };
    assert_eq!(said(&[]), 0);
    assert_eq!(said(&[(0.1, 0.2), (1.1, 1.2)]), 1);
    assert_eq!(said(&[(0.1, 0.2), (1.3, 1.4)]), 2);
    assert_eq!(said(&[(1.3, 1.4), (0.1, 1.0)]), 1, "in any order");
    assert_eq!(
        said(&[(0.1, 3.0), (0.2, 0.3), (2.5, 2.6)]),
        1,
        "one within another"
    );
}

#[test]
fn confirmed_counts_apart() {
    let world = healthy();
    let said = Accusation {
        confirmed: 2.0 * HOUR,
        ..accusation(&world, HOUR, NEVER)
    };
    let outcome = judge(&world, &[said]);
    assert_eq!(outcome.first_false, Some(HOUR));
    assert_eq!(outcome.confirmed_false, Some(2.0 * HOUR));
    same(outcome.healthy_hours, 4.0);
    let world = leaking();
    let said = Accusation {
        confirmed: 2.0 * HOUR,
        ..accusation(&world, 1.5 * HOUR, NEVER)
    };
    assert!(judge(&world, &[said]).confirmed);
}

#[test]
fn half_of_the_limit_is_when_it_is_used() {
    let mut scene = Scene::new(Random::new("a test", 1), 40.0 * HOUR);
    scene
        .open((0..2000).map(|minute| f64::from(minute) * 60.0))
        .leak();
    let world = scene.finish("a test", 1, true).until_exhausted();
    let base = f64::from(world.processes[0].base);
    same(world.half_used, (511.0 - base) * 60.0);
    same(world.exhausted, (1023.0 - base) * 60.0);
    same(world.horizon, world.exhausted);
    let late = judge(&world, &[accusation(&world, world.half_used + 1.0, NEVER)]);
    assert!(!late.hit.unwrap().before_half);
    let early = judge(&world, &[accusation(&world, world.half_used, NEVER)]);
    assert!(early.hit.unwrap().before_half);
    assert!((early.hit.unwrap().used - 0.5).abs() < 1e-9);
}

#[test]
fn a_target_outlasts_the_limit() {
    let mut scene = Scene::new(Random::new("a test", 1), HOUR);
    scene.limit(64);
    scene.open((0..64).map(f64::from)).leak();
    scene.target(90.0);
    let world = scene.finish("a test", 1, true).until_exhausted();
    assert!(world.exhausted < 60.0);
    same(world.horizon, 90.0);
    let outcome = judge(&world, &[accusation(&world, 80.0, NEVER)]);
    assert!(outcome.hit.unwrap().before_half);
    assert_eq!(outcome.on_target(), Some(true));
    assert_eq!(judge(&world, &[]).on_target(), Some(false));
}
