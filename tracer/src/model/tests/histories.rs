//! Histories as kernels tell them, a little out of order, against a model that knows the truth.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use super::*;

/// How a connection comes to be, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Accepted,
    Connected,
    Refused(u16),
    GivenUp,
}

/// What happens while it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Peer,
    Ours,
}

/// One connection from beginning to end, of which only the first `told` events have happened yet.
#[derive(Clone, Debug)]
struct Life {
    start: Start,
    pid: u32,
    peer: u8,
    halves: Vec<Half>,
    dies: bool,
    release_is_lost: bool,
    told: prop::sample::Index,
}

fn lives() -> impl Strategy<Value = Life> {
    let start = prop_oneof![
        2 => Just(Start::Accepted),
        3 => Just(Start::Connected),
        1 => (110..114_u16).prop_map(Start::Refused),
        1 => Just(Start::GivenUp),
    ];
    let halves = prop_oneof![
        3 => Just(vec![]),
        1 => Just(vec![Half::Peer]),
        1 => Just(vec![Half::Ours]),
        1 => Just(vec![Half::Peer, Half::Ours]),
        1 => Just(vec![Half::Ours, Half::Peer]),
    ];
    let told = any::<prop::sample::Index>();
    (
        start,
        0..3_u32,
        0..3_u8,
        halves,
        any::<bool>(),
        prop::bool::weighted(0.2),
        told,
    )
        .prop_map(|(start, pid, peer, halves, dies, release_is_lost, told)| Life {
            start,
            pid,
            peer,
            halves,
            dies,
            release_is_lost,
            told,
        })
}

impl Life {
    fn opening(&self) -> Opening {
        let direction = if self.start == Start::Accepted {
            Direction::Inbound
        } else {
            Direction::Outbound
        };
        opening(direction, self.pid, self.peer, 9090)
    }

    /// What the kernel tells of it, in order.
    fn events(&self) -> Vec<EventKind> {
        let mut events = vec![EventKind::Opened(self.opening())];
        match self.start {
            Start::Connected => {
                events.push(EventKind::State(StateChange::Established { local_port: 40_001 }));
            }
            Start::Refused(error) => events.push(EventKind::State(StateChange::Closed { error })),
            Start::Accepted | Start::GivenUp => {}
        }
        let connected = matches!(self.start, Start::Accepted | Start::Connected);
        let mut in_a_connected_state = connected;
        if connected {
            for half in &self.halves {
                events.push(EventKind::State(match half {
                    Half::Peer => StateChange::PeerClosed,
                    Half::Ours => StateChange::ShutDown,
                }));
            }
            if self.dies {
                events.push(EventKind::State(StateChange::Closed { error: 104 }));
            }
            in_a_connected_state = !self.dies && !self.halves.contains(&Half::Ours);
        }
        if !self.release_is_lost {
            events.push(EventKind::Released {
                connected: in_a_connected_state,
            });
        }
        events.push(EventKind::Ended(EndCause::Destroyed));
        events.truncate(self.told.index(events.len()) + 1);
        events
    }

    /// What is true after those events, and the phase if it is still known.
    fn truth(&self) -> (Counts, Option<Phase>) {
        let events = self.events();
        let has = |wanted: fn(&EventKind) -> bool| events.iter().any(wanted);
        let established = has(|kind| matches!(kind, EventKind::State(StateChange::Established { .. })));
        let let_go = has(|kind| matches!(kind, EventKind::Released { .. } | EventKind::Ended(_)));
        let dead = has(|kind| matches!(kind, EventKind::State(StateChange::Closed { .. })));
        let ours = has(|kind| matches!(kind, EventKind::State(StateChange::ShutDown)));
        let theirs = has(|kind| matches!(kind, EventKind::State(StateChange::PeerClosed)));

        let opened = self.start == Start::Accepted || established;
        let failed = !opened && (dead || let_go);
        let counts = Counts {
            open: u32::from(opened && !let_go),
            connecting: u32::from(!opened && !failed),
            opened: u64::from(opened),
            closed: u64::from(opened && let_go),
            failed: u64::from(failed),
        };
        let phase = match self.start {
            _ if has(|kind| matches!(kind, EventKind::Ended(_))) => None,
            _ if let_go => Some(Phase::Released),
            Start::Refused(error) if dead => Some(Phase::Failed(error)),
            _ if !opened => Some(Phase::Connecting),
            _ if dead => Some(Phase::DeadHeld),
            _ if ours => Some(Phase::HalfClosedLocal),
            _ if theirs => Some(Phase::HalfClosedRemote),
            _ => Some(Phase::Open),
        };
        (counts, phase)
    }

    /// The errno that a failure is counted under: unknown if the end of the attempt is told before its cause.
    fn errno(&self, told: impl Iterator<Item = EventKind>) -> u16 {
        let mut ends = told.filter(|kind| !matches!(kind, EventKind::Opened(_)));
        match (self.start, ends.next()) {
            (Start::Refused(error), Some(EventKind::State(_))) => error,
            _ => 0,
        }
    }
}

/// Mixes the lives, each in its own order, at most 300 ms between two events.
fn interleave(lives: &[Life], turns: &[(prop::sample::Index, u64)]) -> Vec<Event> {
    let mut rest: Vec<_> = lives
        .iter()
        .map(|life| life.events().into_iter())
        .zip(1..)
        .collect();
    let mut now = at(0);
    let mut events = Vec::new();
    let mut turns = turns.iter().cycle();
    while !rest.is_empty() {
        let (turn, millis) = turns.next().unwrap();
        now = now + Duration::from_millis(*millis);
        let turn = turn.index(rest.len());
        match rest[turn].0.next() {
            Some(kind) => events.push(Event {
                at: now,
                id: ConnectionId(rest[turn].1),
                kind,
            }),
            None => drop(rest.remove(turn)),
        }
    }
    events
}

/// Whether two events can come in the wrong order. The kernel programs take room for an opening before they let
/// any change be told, and the socket's lock puts its state changes in order; but a process and an interrupt race,
/// and so do different sockets.
fn can_swap(first: &Event, second: &Event) -> bool {
    let is_attempt = matches!(first.kind, EventKind::Opened(opening) if opening.connecting);
    let is_established = matches!(first.kind, EventKind::State(StateChange::Established { .. }));
    let is_final = matches!(
        second.kind,
        EventKind::State(StateChange::Closed { .. }) | EventKind::Ended(_)
    );
    first.id != second.id
        || !(is_attempt && matches!(second.kind, EventKind::State(_)) || is_established && is_final)
}

/// Swaps neighbours; gives the connections whose own events changed places.
fn disturb(events: &mut [Event], swaps: &[bool]) -> BTreeSet<ConnectionId> {
    let mut disturbed = BTreeSet::new();
    let mut swaps = swaps.iter().cycle();
    let mut position = 0;
    while position + 1 < events.len() {
        let (first, second) = (events[position], events[position + 1]);
        if *swaps.next().unwrap() && can_swap(&first, &second) {
            events.swap(position, position + 1);
            if first.id == second.id {
                disturbed.insert(first.id);
            }
            position += 1;
        }
        position += 1;
    }
    disturbed
}

proptest! {
    #[test]
    fn a_little_disorder_does_not_change_the_result(
        lives in vec(lives(), 1..12),
        turns in vec((any::<prop::sample::Index>(), 0..300_u64), 40),
        swaps in vec(prop::bool::weighted(0.3), 37),
        repeats in vec(prop::bool::weighted(0.1), 31),
    ) {
        let mut events = interleave(&lives, &turns);
        let disturbed = disturb(&mut events, &swaps);
        let mut books = Books::new();
        let mut now = at(0);
        let mut repeats = repeats.iter().cycle();
        for event in &events {
            books.apply(event);
            let is_opening = matches!(event.kind, EventKind::Opened(_));
            if *repeats.next().unwrap() && !is_opening {
                books.apply(event);
            }
            now = now.max(event.at);
            books.tick(now);
        }

        let mut total = Counts::default();
        let mut groups: HashMap<GroupKey, Counts> = HashMap::new();
        let mut failures: BTreeMap<u16, u64> = BTreeMap::new();
        let mut open = BTreeSet::new();
        for (life, id) in lives.iter().zip(1..) {
            let (counts, phase) = life.truth();
            total = total.plus(counts);
            let group = groups.entry(natural_group(&life.opening())).or_default();
            *group = group.plus(counts);
            if counts.failed > 0 {
                let told = events.iter().filter(|event| event.id.0 == id).map(|event| event.kind);
                *failures.entry(life.errno(told)).or_default() += 1;
            }
            if counts.open > 0 {
                open.insert(id);
            }
            if !disturbed.contains(&ConnectionId(id)) {
                prop_assert_eq!(books.phase(id), phase, "phase of {}", id);
            }
        }
        let held = books.ledger.connections().filter(|(_, connection)| connection.phase.is_held());
        prop_assert_eq!(held.map(|(id, _)| id.0).collect::<BTreeSet<u64>>(), open);
        prop_assert_eq!(books.counts(), total);
        let found = books.ledger.groups().iter().map(|(key, group)| (*key, Counts::of(&group.tally)));
        prop_assert_eq!(found.collect::<HashMap<_, _>>(), groups);
        prop_assert_eq!(books.ledger.failures(), &failures);
    }
}
