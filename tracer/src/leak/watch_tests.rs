use std::time::Duration;

use super::*;

/// What is counted together is as if each had come and gone by itself.
#[test]
fn passing_is_coming_and_going_in_turn() {
    let group = GroupKey {
        process: ProcessId {
            pid: 7,
            start: Time(1),
        },
        direction: Direction::Inbound,
        peer: Peer::Other,
        service_port: 443,
    };
    let at = |millis: u64| Time(0) + Duration::from_millis(1_000_000 + millis);
    for held in 0..4 {
        let mut together = Watch::new(Key::Group(group), 3, at(0));
        let life = |opened| Life {
            opened: Start::Seen(opened),
            peer_gone: None,
        };
        for _ in 0..held {
            together.enter(life(at(0)), at(0));
        }
        let mut single = together.clone();
        for burst in 0..20 {
            let first = at(burst * 700);
            together.pass(5, 0, first);
            for number in 0..5 {
                let opened = first + Duration::from_millis(number * 40);
                single.opened += 1;
                single.beat.opened(1, opened);
                single.enter(life(opened), opened);
                single.close(life(opened));
            }
        }
        assert_eq!(format!("{together:?}"), format!("{single:?}"), "{held} held");
        assert!(together.beat.cadence().is_some());
    }
}

/// The budget: 1.2 KiB for a group in which no peer is gone.
#[test]
fn a_watch_is_small() {
    assert!(size_of::<Watch>() <= 1228, "{} bytes", size_of::<Watch>());
}
