use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    ingest::intake::Intake,
    model::{
        connection::{GroupKey, ProcessId},
        event::EndCause,
        ledger::Limits,
        name::Comm,
        stack::Opener,
        tally::Tally,
    },
};

const CONNECTIONS: u64 = 12;

fn at(millis: u64) -> Time {
    Time(0) + Duration::from_hours(30) + Duration::from_millis(millis)
}

fn opening(direction: Direction, pid: u32, peer: u8) -> Opening {
    Opening {
        process: ProcessId { pid, start: Time(77) },
        comm: Comm::from("program"),
        direction,
        connecting: direction == Direction::Outbound,
        local: ([10, 0, 0, 200], 9090).into(),
        peer: ([10, 0, 0, peer], 443).into(),
        netns: 1,
        stack: Opener::NOT_ASKED,
    }
}

fn event(millis: u64, id: u64, kind: EventKind) -> Event {
    Event {
        at: at(millis),
        id: ConnectionId(id),
        kind,
    }
}

/// Takes in events, and looks where there is `None`.
struct Books {
    intake: Intake,
    ledger: Ledger,
    facts: Vec<Fact>,
}

impl Books {
    fn new(intake: Intake) -> Self {
        let ledger = Ledger::new(Limits {
            connections: 10,
            ..Limits::default()
        });
        Self {
            intake,
            ledger,
            facts: Vec::new(),
        }
    }

    fn take(&mut self, step: Option<&Event>) {
        match step {
            Some(event) => self.intake.take(event, &mut self.ledger, &mut self.facts),
            None => self.intake.settle(&mut self.ledger, &mut self.facts),
        }
    }

    fn opened(&self) -> usize {
        let is_opening = |fact: &&Fact| matches!(fact, Fact::Opened { .. });
        self.facts.iter().filter(is_opening).count()
    }
}

fn of(steps: &[Option<Event>]) -> Books {
    let mut books = Books::new(Intake::together());
    for step in steps {
        books.take(step.as_ref());
    }
    books.take(None);
    books
}

#[test]
fn what_opens_and_closes_in_one_look_is_one_fact_of_its_group() {
    let mut steps = Vec::new();
    for (id, millis) in [(1, 0), (3, 20)] {
        let release = EventKind::Released { connected: true };
        let established = StateChange::Established { local_port: 40_000 };
        steps.extend([
            Some(event(
                millis,
                id,
                EventKind::Opened(opening(Direction::Outbound, 7, 1)),
            )),
            Some(event(millis + 2, id, EventKind::State(established))),
            Some(event(
                millis + 3,
                id + 1,
                EventKind::Opened(opening(Direction::Inbound, 8, 2)),
            )),
            Some(event(millis + 9, id, release)),
            Some(event(
                millis + 9,
                id + 1,
                EventKind::State(StateChange::PeerClosed),
            )),
            Some(event(millis + 10, id + 1, release)),
        ]);
    }
    let books = of(&steps);
    let expected = [
        Fact::Short {
            group: opening(Direction::Outbound, 7, 1).group(),
            count: 2,
            gone: 0,
            first: at(2),
            last: at(29),
        },
        Fact::Short {
            group: opening(Direction::Inbound, 8, 2).group(),
            count: 2,
            gone: 2,
            first: at(3),
            last: at(30),
        },
    ];
    assert_eq!(books.facts, expected);
    let process = &opening(Direction::Outbound, 7, 1).process;
    let lived = books
        .ledger
        .processes()
        .get(process)
        .unwrap()
        .lifetimes
        .quantile(0.5);
    let (lived, exact) = (lived.unwrap().as_secs_f64(), 0.007);
    assert!((lived - exact).abs() < exact * 0.021, "{lived}");
    assert_eq!((books.ledger.total().opened, books.ledger.total().closed), (4, 4));
}

#[test]
fn what_is_open_at_the_end_of_a_look_enters_the_books() {
    let opened = event(0, 1, EventKind::Opened(opening(Direction::Inbound, 7, 1)));
    let released = event(9, 1, EventKind::Released { connected: true });
    let mut books = of(&[Some(opened)]);
    assert_eq!((books.opened(), books.ledger.total().open), (1, 1));
    books.take(Some(&released));
    assert_eq!((books.facts.len(), books.ledger.total().open), (2, 0));
}

#[test]
fn attempts_that_fail_or_are_given_up_are_no_short_connections() {
    let attempt = EventKind::Opened(opening(Direction::Outbound, 7, 1));
    let refused = EventKind::State(StateChange::Closed { error: 111 });
    let books = of(&[
        Some(event(0, 1, attempt)),
        Some(event(1, 1, refused)),
        Some(event(2, 1, EventKind::Released { connected: false })),
        Some(event(3, 2, attempt)),
        Some(event(4, 2, EventKind::Released { connected: false })),
    ]);
    assert_eq!(books.ledger.failures(), &BTreeMap::from([(0, 1), (111, 1)]));
    assert_eq!((books.ledger.total().failed, books.ledger.total().opened), (2, 0));
    assert_eq!(books.ledger.irregularities().orphans, 0);
}

#[test]
fn nothing_is_counted_together_that_is_long_apart() {
    let mut steps = Vec::new();
    for id in 0..4 {
        let millis = id * 200;
        let opened = EventKind::Opened(opening(Direction::Inbound, 7, 1));
        steps.push(Some(event(millis, id + 1, opened)));
        steps.push(Some(event(
            millis + 1,
            id + 1,
            EventKind::Released { connected: true },
        )));
    }
    let facts = of(&steps).facts;
    let counts: Vec<u32> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Short { count, .. } => Some(*count),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [2, 2]);
}

#[test]
fn the_memory_of_a_look_is_bounded_and_nothing_is_lost_by_that() {
    let mut books = Books::new(Intake::together());
    books.ledger = Ledger::new(Limits::default());
    for id in 1..=10_000 {
        let opened = EventKind::Opened(opening(Direction::Inbound, 7, (id % 200) as u8));
        books.take(Some(&event(id, id, opened)));
        if id % 3 == 0 {
            books.take(Some(&event(id, id, EventKind::Released { connected: true })));
        }
    }
    assert!(books.ledger.total().open > 6000 - 1024, "they did not wait");
    books.take(None);
    let total = books.ledger.total();
    assert_eq!((total.opened, total.closed, total.open), (10_000, 3333, 6667));
}

fn kinds() -> impl Strategy<Value = EventKind> {
    let directions = prop_oneof![Just(Direction::Inbound), Just(Direction::Outbound)];
    prop_oneof![
        4 => (directions, 1..3_u32, 1..3_u8).prop_map(|(direction, pid, peer)| {
            EventKind::Opened(opening(direction, pid, peer))
        }),
        3 => Just(EventKind::State(StateChange::Established { local_port: 40_000 })),
        1 => Just(EventKind::State(StateChange::PeerClosed)),
        1 => Just(EventKind::State(StateChange::ShutDown)),
        1 => Just(EventKind::State(StateChange::Closed { error: 111 })),
        4 => any::<bool>().prop_map(|connected| EventKind::Released { connected }),
        1 => Just(EventKind::Ended(EndCause::Destroyed)),
        1 => Just(EventKind::Ended(EndCause::Unobserved)),
    ]
}

/// All that a tally counts.
fn counts(tally: &Tally) -> [u64; 6] {
    [
        tally.open.into(),
        tally.connecting.into(),
        tally.opened,
        tally.older,
        tally.closed,
        tally.failed,
    ]
}

/// Counts, rates and how long nine of ten lived, of each process.
type Processes = BTreeMap<ProcessId, ([u64; 6], [u32; 2], Option<Duration>)>;

fn processes(ledger: &Ledger, now: u64) -> Processes {
    let processes = ledger.processes().iter().map(|(key, process)| {
        let rates = [&process.opened_rate, &process.closed_rate];
        let rates = rates.map(|rate| rate.per_minute(at(now)));
        let counts = counts(&process.tally);
        (*key, (counts, rates, process.lifetimes.quantile(0.9)))
    });
    processes.collect()
}

proptest! {
    /// Whatever the events are, the books say the same in the end, whether they are taken in together or one by one.
    #[test]
    fn counting_together_changes_nothing(
        steps in vec((0..80_u64, 1..=CONNECTIONS, kinds(), prop::bool::weighted(0.1)), 0..200),
    ) {
        let (mut together, mut single) = (Books::new(Intake::together()), Books::new(Intake::one_by_one()));
        // Room for all: what is counted together takes none.
        (together.ledger, single.ledger) = (Ledger::new(Limits::default()), Ledger::new(Limits::default()));
        let mut now = 0;
        let mut looks = 0;
        for (passed, id, kind, look) in steps {
            now += passed;
            // A number is never used again; only a few of an age meet.
            let event = event(now, id + looks * CONNECTIONS, kind);
            together.take(Some(&event));
            single.take(Some(&event));
            if look {
                looks += u64::from(passed % 2 == 0);
                together.take(None);
            }
        }
        together.take(None);
        let (left, right) = (&together.ledger, &single.ledger);
        prop_assert_eq!(counts(left.total()), counts(right.total()));
        prop_assert_eq!(left.failures(), right.failures());
        let groups = |ledger: &Ledger| -> BTreeMap<GroupKey, [u64; 6]> {
            ledger.groups().iter().map(|(key, group)| (*key, counts(&group.tally))).collect()
        };
        prop_assert_eq!(groups(left), groups(right));
        prop_assert_eq!(processes(left, now), processes(right, now));
        let open = |ledger: &Ledger| -> BTreeMap<ConnectionId, _> { ledger.connections().collect() };
        prop_assert_eq!(open(left), open(right));
        prop_assert_eq!(left.irregularities(), right.irregularities());
    }
}
