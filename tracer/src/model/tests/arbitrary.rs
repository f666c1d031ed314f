//! Histories that make no sense: the books balance all the same.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::model::ledger::Irregularities;

#[derive(Clone, Copy, Debug)]
enum Step {
    Event(Event),
    Tick(Time),
}

fn times() -> impl Strategy<Value = Time> {
    prop_oneof![
        8 => (0..60_000_u64).prop_map(|millis| at(0) + Duration::from_millis(millis)),
        4 => (0..4_000_u64).prop_map(at),
        1 => Just(Time(0)),
        1 => any::<u64>().prop_map(Time),
    ]
}

fn openings(processes: u32, peers: u8, ports: u16) -> impl Strategy<Value = Opening> {
    let direction = prop_oneof![Just(Direction::Outbound), Just(Direction::Inbound)];
    (direction, 0..processes, 0..peers, 0..ports, any::<bool>()).prop_map(
        |(direction, pid, peer, port, connecting)| Opening {
            connecting,
            ..opening(direction, pid, peer, 9000 + port)
        },
    )
}

fn kinds(openings: impl Strategy<Value = Opening>) -> impl Strategy<Value = EventKind> {
    let changes = prop_oneof![
        any::<u16>().prop_map(|local_port| StateChange::Established { local_port }),
        Just(StateChange::PeerClosed),
        Just(StateChange::ShutDown),
        (100..115_u16).prop_map(|error| StateChange::Closed { error }),
    ];
    let causes = prop_oneof![
        Just(EndCause::Destroyed),
        Just(EndCause::Reconnected),
        Just(EndCause::Unobserved)
    ];
    prop_oneof![
        3 => openings.prop_map(EventKind::Opened),
        4 => changes.prop_map(EventKind::State),
        2 => any::<bool>().prop_map(|connected| EventKind::Released { connected }),
        1 => causes.prop_map(EventKind::Ended),
    ]
}

fn steps(ids: u64, openings: impl Strategy<Value = Opening>) -> impl Strategy<Value = Vec<Step>> {
    let event = (times(), 0..ids, kinds(openings));
    let step = prop_oneof![
        9 => event.prop_map(|(at, id, kind)| Step::Event(Event { at, id: ConnectionId(id), kind })),
        1 => times().prop_map(Step::Tick),
    ];
    vec(step, 0..200)
}

proptest! {
    #[test]
    fn the_books_balance_whatever_is_told(steps in steps(8, openings(3, 3, 2))) {
        let limits = Limits { retention: Duration::MAX, ..Limits::default() };
        let mut books = Books::with(limits, Memory::Complete);
        for step in steps {
            match step {
                Step::Event(event) => books.apply(&event),
                Step::Tick(now) => books.tick(now),
            }
        }
        let irregularities = books.ledger.irregularities();
        prop_assert_eq!((irregularities.untracked, irregularities.overflowed), (0, 0));
    }

    #[test]
    fn full_tables_stay_small_and_count_what_went_elsewhere(steps in steps(24, openings(6, 6, 5))) {
        const CONNECTIONS: usize = 8;
        const GROUPS: usize = 3;
        let limits = Limits { connections: CONNECTIONS, groups: GROUPS, retention: Duration::from_mins(1) };
        let mut books = Books::with(limits, Memory::Forgetful);
        let mut expected = Irregularities::default();
        for step in steps {
            let event = match step {
                Step::Event(event) => event,
                Step::Tick(now) => {
                    books.tick(now);
                    continue;
                }
            };
            let known = books.phase(event.id.0);
            let held = books.ledger.connections().count();
            let ledger = &books.ledger;
            let full = [ledger.groups().len(), ledger.processes().len(), ledger.peers().len()]
                .into_iter()
                .any(|length| length >= GROUPS);
            books.apply(&event);

            match event.kind {
                EventKind::Opened(_) if known.is_some() => expected.duplicates += 1,
                EventKind::Opened(_) if held >= CONNECTIONS => {
                    expected.untracked += 1;
                    prop_assert_eq!(books.phase(event.id.0), None);
                }
                EventKind::Opened(opening) => {
                    let group = books.connection(event.id.0).unwrap().group;
                    let elsewhere = group != natural_group(&opening);
                    prop_assert!(full || !elsewhere, "there was room for {:?}", opening);
                    expected.overflowed += u64::from(elsewhere);
                }
                EventKind::Ended(EndCause::Unobserved) if known.is_some() => expected.unobserved += 1,
                _ => {}
            }
            let found = Irregularities { orphans: 0, ..books.ledger.irregularities() };
            prop_assert_eq!(found, expected);

            let ledger = &books.ledger;
            prop_assert!(ledger.connections().count() <= CONNECTIONS);
            prop_assert!(ledger.processes().len() <= GROUPS + 1, "and one for the others");
            prop_assert!(ledger.peers().len() <= GROUPS + 2, "and the others in either direction");
            prop_assert!(ledger.groups().len() <= GROUPS + 2 * (GROUPS + 1), "and the others of each process");
        }
    }
}
