//! The books, put to the test: each rule by the sentence it defends, then what must hold for any history.

mod arbitrary;
mod code;
mod counting;
mod histories;
mod reconcile;
mod rules;
mod views;

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    hash::Hash,
    net::IpAddr,
    time::Duration,
};

use super::{
    connection::{Connection, ConnectionId, Direction, GroupKey, Peer, Phase, ProcessId},
    event::{EndCause, Event, EventKind, Opening, StateChange},
    fact::Fact,
    ledger::{Ledger, Limits},
    name::Comm,
    stack::Opener,
    tally::Tally,
    time::Time,
};

/// A moment some time after boot.
fn at(second: u64) -> Time {
    Time(0) + Duration::from_secs(100_000 + second)
}

fn process(pid: u32) -> ProcessId {
    ProcessId { pid, start: Time(77) }
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// Process `pid` connects to, or accepts from, `10.0.0.<peer>`; the service is on `port`.
fn opening(direction: Direction, pid: u32, peer: u8, port: u16) -> Opening {
    let ephemeral = 40_000 + u16::from(peer);
    let (local_port, peer_port) = match direction {
        Direction::Outbound => (0, port),
        Direction::Inbound => (port, ephemeral),
    };
    Opening {
        process: process(pid),
        comm: Comm::from(format!("program-{pid}").as_str()),
        direction,
        connecting: direction == Direction::Outbound,
        local: (address(200), local_port).into(),
        peer: (address(peer), peer_port).into(),
        netns: 4_026_531_840,
        stack: Opener::NOT_ASKED,
    }
}

/// Where an opening is counted while there is room.
fn natural_group(opening: &Opening) -> GroupKey {
    let service = match opening.direction {
        Direction::Outbound => opening.peer,
        Direction::Inbound => opening.local,
    };
    GroupKey {
        process: opening.process,
        direction: opening.direction,
        peer: Peer::Address(opening.peer.ip()),
        service_port: service.port(),
    }
}

/// The counts of a tally, without its rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    open: u32,
    connecting: u32,
    opened: u64,
    closed: u64,
    failed: u64,
}

impl Counts {
    fn of(tally: &Tally) -> Self {
        let Tally {
            open,
            connecting,
            opened,
            closed,
            failed,
            ..
        } = *tally;
        Self {
            open,
            connecting,
            opened,
            closed,
            failed,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            open: self.open + other.open,
            connecting: self.connecting + other.connecting,
            opened: self.opened + other.opened,
            closed: self.closed + other.closed,
            failed: self.failed + other.failed,
        }
    }
}

/// Whether anything was forgotten, which takes the totals of a forgotten group out of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Complete,
    Forgetful,
}

/// What must hold at any moment, whatever was told: the tallies are what a recount of the connections and of the
/// facts gives.
#[track_caller]
fn assert_balanced(ledger: &Ledger, facts: &[Fact], memory: Memory) {
    assert_indexed(ledger);
    let total = ledger.total();
    recount("total", ledger, facts, memory, &[((), total)], |_| ());
    let groups: Vec<_> = ledger
        .groups()
        .iter()
        .map(|(key, group)| (*key, &group.tally))
        .collect();
    recount("groups", ledger, facts, memory, &groups, |group| group);
    let processes: Vec<_> = ledger
        .processes()
        .iter()
        .map(|(key, entry)| (*key, &entry.tally))
        .collect();
    recount("processes", ledger, facts, memory, &processes, |group| {
        group.process
    });
    let peers: Vec<_> = ledger
        .peers()
        .iter()
        .map(|(key, entry)| (*key, &entry.tally))
        .collect();
    recount("peers", ledger, facts, memory, &peers, GroupKey::peer_key);

    assert_eq!(
        ledger.failures().values().sum::<u64>(),
        total.failed,
        "failures by errno"
    );
    for (id, _) in ledger
        .processes()
        .iter()
        .filter(|(id, _)| **id != ProcessId::OTHER)
    {
        assert_ne!(ledger.name(*id).bytes(), b"", "{id:?} has a name");
    }
}

/// Who asks for the connections of a group, a process or a peer gets what a look at all of them gives.
#[track_caller]
fn assert_indexed(ledger: &Ledger) {
    let ids = |connections: &mut dyn Iterator<Item = (ConnectionId, Connection)>| {
        let mut ids: Vec<ConnectionId> = connections.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    };
    let counted = |is_one: &dyn Fn(&GroupKey) -> bool| {
        let is_one =
            |connection: &Connection| connection.phase != Phase::Released && is_one(&connection.group);
        ids(&mut ledger.connections().filter(|(_, connection)| is_one(connection)))
    };
    let alive = ledger.connections().map(|(_, connection)| connection.group);
    let groups: HashSet<GroupKey> = alive.chain(ledger.groups().iter().map(|(key, _)| *key)).collect();
    for group in &groups {
        let GroupKey {
            process,
            direction,
            peer,
            ..
        } = *group;
        let found = ids(&mut ledger.of_group(*group));
        assert_eq!(found, counted(&|other| other == group), "{group:?}");
        let found = ids(&mut ledger.of_process(process, direction));
        let is_of = |other: &GroupKey| (other.process, other.direction) == (process, direction);
        assert_eq!(found, counted(&is_of), "{process:?} {direction}");
        let found = ids(&mut ledger.of_peer(direction, peer));
        let is_with = |other: &GroupKey| (other.direction, other.peer) == (direction, peer);
        assert_eq!(found, counted(&is_with), "{direction} {peer:?}");
    }
    assert!(
        ledger.connections.rolls() <= groups.len(),
        "no roll outlives its group"
    );
}

#[track_caller]
fn recount<K: Copy + Debug + Eq + Hash>(
    table: &str,
    ledger: &Ledger,
    facts: &[Fact],
    memory: Memory,
    tallies: &[(K, &Tally)],
    key_of: impl Fn(GroupKey) -> K,
) {
    let mut phases: HashMap<K, (u32, u32)> = HashMap::new();
    for (_, Connection { group, phase, .. }) in ledger.connections() {
        let (open, connecting) = phases.entry(key_of(group)).or_default();
        *open += u32::from(phase.is_held());
        *connecting += u32::from(phase == Phase::Connecting);
    }
    let mut told: HashMap<K, (u64, u64)> = HashMap::new();
    for fact in facts {
        match *fact {
            Fact::PeerGone { .. } | Fact::Failed { .. } | Fact::FailureClosed { .. } => {}
            Fact::Found { .. } | Fact::Retracted { .. } | Fact::Moved { .. } => {
                panic!("nothing is found without a snapshot")
            }
            Fact::Opened { group, .. } => told.entry(key_of(group)).or_default().0 += 1,
            Fact::Closed { group, .. } => told.entry(key_of(group)).or_default().1 += 1,
            _ => panic!("nobody keeps a journal"),
        }
    }
    let mut sum = Counts::default();
    for (key, tally) in tallies {
        let counts = Counts::of(tally);
        assert_eq!(
            counts.opened,
            u64::from(counts.open) + counts.closed,
            "{table}: conservation in {key:?}"
        );
        let (open, connecting) = phases.remove(key).unwrap_or_default();
        assert_eq!(
            (counts.open, counts.connecting),
            (open, connecting),
            "{table}: recount of {key:?}"
        );
        if memory == Memory::Complete {
            let (opened, closed) = told.remove(key).unwrap_or_default();
            assert_eq!(
                (counts.opened, counts.closed),
                (opened, closed),
                "{table}: facts of {key:?}"
            );
        }
        sum = sum.plus(counts);
    }
    phases.retain(|_, counts| *counts != (0, 0));
    assert!(
        phases.is_empty(),
        "{table}: connections counted nowhere: {phases:?}"
    );
    let total = Counts::of(ledger.total());
    assert_eq!(
        (sum.open, sum.connecting),
        (total.open, total.connecting),
        "{table}: sum"
    );
    if memory == Memory::Complete {
        assert!(told.is_empty(), "{table}: facts counted nowhere: {told:?}");
        assert_eq!(sum, total, "{table}: sum");
    }
}

/// A ledger that is checked after every step.
struct Books {
    ledger: Ledger,
    facts: Vec<Fact>,
    memory: Memory,
}

impl Books {
    fn new() -> Self {
        Self::with(Limits::default(), Memory::Complete)
    }

    fn with(limits: Limits, memory: Memory) -> Self {
        Self {
            ledger: Ledger::new(limits),
            facts: Vec::new(),
            memory,
        }
    }

    #[track_caller]
    fn apply(&mut self, event: &Event) {
        self.ledger.apply(event, &mut self.facts);
        assert_balanced(&self.ledger, &self.facts, self.memory);
    }

    #[track_caller]
    fn tick(&mut self, now: Time) {
        self.ledger.tick(now);
        assert_balanced(&self.ledger, &self.facts, self.memory);
    }

    #[track_caller]
    fn tell(&mut self, id: u64, second: u64, kind: EventKind) {
        self.apply(&Event {
            at: at(second),
            id: ConnectionId(id),
            kind,
        });
    }

    #[track_caller]
    fn accept(&mut self, id: u64, second: u64) {
        self.tell(
            id,
            second,
            EventKind::Opened(opening(Direction::Inbound, 1, 7, 9090)),
        );
    }

    #[track_caller]
    fn connect(&mut self, id: u64, second: u64) {
        self.tell(
            id,
            second,
            EventKind::Opened(opening(Direction::Outbound, 1, 7, 9090)),
        );
    }

    #[track_caller]
    fn established(&mut self, id: u64, second: u64) {
        self.state(id, second, StateChange::Established { local_port: 50_123 });
    }

    #[track_caller]
    fn state(&mut self, id: u64, second: u64, change: StateChange) {
        self.tell(id, second, EventKind::State(change));
    }

    #[track_caller]
    fn release(&mut self, id: u64, second: u64, connected: bool) {
        self.tell(id, second, EventKind::Released { connected });
    }

    #[track_caller]
    fn end(&mut self, id: u64, second: u64, cause: EndCause) {
        self.tell(id, second, EventKind::Ended(cause));
    }

    fn connection(&self, id: u64) -> Option<Connection> {
        self.ledger
            .connections()
            .find(|(other, _)| other.0 == id)
            .map(|(_, connection)| connection)
    }

    fn phase(&self, id: u64) -> Option<Phase> {
        self.connection(id).map(|connection| connection.phase)
    }

    /// Open, opened, closed, failed, and attempts under way.
    fn counts(&self) -> Counts {
        Counts::of(self.ledger.total())
    }
}
