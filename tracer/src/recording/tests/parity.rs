//! What was recorded live and is replayed is the same: books, verdicts, and what they rest on.

use std::{net::SocketAddr, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::read;
use crate::{
    leak::{Detector as _, Parameters, Rules, finding::Finding, row::RowParameters, thresholds::Sensitivity},
    model::{
        connection::{Connection, ConnectionId, Direction, Phase, ProcessId},
        event::{EndCause, Event, EventKind, Opening, StateChange},
        fact::Fact,
        ledger::{Ledger, Limits},
        name::Comm,
        snapshot::{Descriptors, Held, Listener, ListenerId, Snapshot, Waiting},
        stack::{Missing, Opener, StackId},
        time::Time,
    },
    recording::{
        journal::Journal,
        line::Line,
        player::Player,
        reader::Entry,
        written::{Header, Nanos, Origin},
    },
};

const IDS: u64 = 48;

/// Something that a tracer sees, so many milliseconds after the thing before.
#[derive(Clone, Debug)]
enum Happening {
    /// An event, told that many milliseconds late.
    Event(u64, EventKind, u64),
    /// A comparison with these tables.
    Compared(Vec<Row>, Vec<(u64, bool)>, u32),
    /// A process is seen to be gone.
    Exit(u32),
    /// The rules look so many times.
    Ticks(u8),
    /// Another file begins.
    Rotation,
}

/// A connection in the kernel's tables.
#[derive(Clone, Debug)]
struct Row {
    id: u64,
    holders: Vec<u32>,
    phase: Phase,
    carried: u64,
    name: u8,
}

fn process(pid: u32) -> ProcessId {
    ProcessId {
        pid: pid + 1,
        start: Time(5),
    }
}

fn comm(pid: u32, variant: u8) -> Comm {
    Comm::from(format!("p{pid}-{variant}").as_str())
}

fn address(last: u64, port: u64) -> SocketAddr {
    format!("10.0.0.{last}:{port}").parse().unwrap()
}

/// Every connection is always the same one.
fn opening(id: u64, name: u8) -> Opening {
    let pid = u32::try_from(id % 2).unwrap();
    let inbound = id.is_multiple_of(3);
    let (local, peer) = if inbound {
        (address(1, 80), address(2 + id % 2, 40_000 + id))
    } else {
        (address(1, 30_000 + id), address(2 + id % 2, 9090))
    };
    Opening {
        process: process(pid),
        comm: comm(pid, name),
        direction: if inbound {
            Direction::Inbound
        } else {
            Direction::Outbound
        },
        connecting: !inbound,
        local,
        peer,
        netns: 77,
        stack: match id % 3 {
            0 => Opener::NOT_ASKED,
            1 => StackId(5000 + id).into(),
            _ => Opener::missing(Missing::TableFull),
        },
    }
}

fn happenings() -> impl Strategy<Value = Vec<(u64, Happening)>> {
    let changes = prop_oneof![
        4 => Just(StateChange::Established { local_port: 0 }),
        1 => Just(StateChange::PeerClosed),
        1 => Just(StateChange::ShutDown),
        1 => (100..112_u16).prop_map(|error| StateChange::Closed { error }),
    ];
    let events =
        (0..IDS, any::<bool>(), 0..2_u8, changes, 0..12_u8).prop_map(|(id, flag, name, change, which)| {
            let kind = match which {
                0..6 => EventKind::Opened(opening(id, name)),
                6..10 => EventKind::State(change),
                10 => EventKind::Released { connected: flag },
                _ => EventKind::Ended(EndCause::Destroyed),
            };
            (id, kind)
        });
    let lateness = prop_oneof![8 => Just(0), 4 => 0..100_u64, 1 => 0..3000_u64];
    let phases = prop_oneof![
        6 => Just(Phase::Open),
        1 => Just(Phase::Connecting),
        1 => Just(Phase::HalfClosedRemote),
        1 => Just(Phase::HalfClosedLocal),
        1 => Just(Phase::DeadHeld),
    ];
    let rows = (0..IDS, vec(0..3_u32, 1..3), phases, 0..3_u64, 0..2_u8).prop_map(
        |(id, holders, phase, carried, name)| Row {
            id,
            holders,
            // Only who connects waits for an answer.
            phase: if id.is_multiple_of(3) && phase == Phase::Connecting {
                Phase::Open
            } else {
                phase
            },
            carried,
            name,
        },
    );
    let waiting = vec((0..IDS, any::<bool>()), 0..4);
    let happening = prop_oneof![
        24 => (events, lateness).prop_map(|((id, kind), late)| Happening::Event(id, kind, late)),
        4 => (vec(rows, 0..40), waiting, 0..200_u32)
            .prop_map(|(rows, waiting, used)| Happening::Compared(rows, waiting, used)),
        1 => (0..3_u32).prop_map(Happening::Exit),
        8 => (1..20_u8).prop_map(Happening::Ticks),
        1 => Just(Happening::Rotation),
    ];
    vec((0..3000_u64, happening), 0..150)
}

fn rules(is_strict: bool) -> Rules {
    let row = RowParameters {
        min_opened: 3,
        min_span: Duration::ZERO,
        window: Duration::from_mins(10),
    };
    let mut parameters = Parameters::new(Sensitivity::High);
    parameters.row = is_strict.then_some(row);
    Rules::new(&parameters, 64)
}

/// What the rules said at one look, and the books that they said it of.
type Look = (Time, Vec<Finding>, String);

/// What is compared of the books.
fn books(ledger: &Ledger, now: Time) -> String {
    let mut connections: Vec<(ConnectionId, Connection)> = ledger
        .connections()
        .map(|(id, connection)| (id, connection.clone()))
        // A recording does not tell how long the kernel lingers, nor who else holds a connection.
        .filter(|(_, connection)| connection.phase != Phase::Released)
        .map(|(id, connection)| {
            (
                id,
                Connection {
                    holders: 1,
                    ..connection
                },
            )
        })
        // Only whoever notes it needs to know when that was.
        .map(|(id, mut connection)| {
            if let Some(traffic) = &mut connection.traffic {
                traffic.noted = Time(0);
            }
            (id, connection)
        })
        .collect();
    connections.sort_unstable_by_key(|(id, _)| *id);
    let standings: Vec<_> = (0..3)
        .map(|pid| {
            let process = process(pid);
            (
                ledger.budget(process, now),
                ledger.name(process),
                ledger.has_exited(process),
            )
        })
        .collect();
    let listeners = ledger.listeners();
    let mut missing: Vec<ConnectionId> = ledger.missing().collect();
    missing.sort_unstable();
    format!(
        "{connections:#?}{standings:#?}{listeners:#?}{missing:?}{:#?}",
        ledger.total()
    )
}

/// The tracer that records.
struct Live {
    ledger: Ledger,
    rules: Rules,
    journal: Journal,
    now: Time,
    looks: Vec<Look>,
}

impl Live {
    fn new(is_strict: bool) -> Self {
        let mut live = Self {
            ledger: Ledger::new(Limits::default()),
            rules: rules(is_strict),
            journal: Journal::new(),
            now: Time(0) + Duration::from_secs(100),
            looks: Vec::new(),
        };
        live.ledger.keep_journal();
        live.begin();
        live
    }

    fn begin(&mut self) {
        self.journal.begin(&Header {
            v: 1,
            ts: Nanos(self.now),
            wall: "2026-11-22T10:00:00Z".to_owned(),
            host: None,
            kernel: None,
            backend: "fentry".into(),
            filters: "all connections".into(),
            tracer: Origin {
                version: "0".into(),
                run: 1,
                ordered: true,
                flags: Vec::new(),
                degraded: Vec::new(),
                netns: None,
                ports: None,
            },
        });
        self.journal.state(&self.ledger, self.now);
    }

    fn change(&mut self, change: impl FnOnce(&mut Ledger, &mut Vec<Fact>)) {
        let mut facts = Vec::new();
        change(&mut self.ledger, &mut facts);
        self.journal.note(&facts, &self.ledger);
        for fact in facts.iter().filter(|fact| !fact.is_for_journals()) {
            self.rules.observe(fact);
        }
    }

    fn live(&mut self, happening: &Happening) {
        match happening {
            Happening::Event(id, kind, late) => {
                let event = Event {
                    at: self.now.earlier(Duration::from_millis(*late)),
                    id: ConnectionId(*id),
                    kind: *kind,
                };
                self.change(|ledger, facts| ledger.apply(&event, facts));
            }
            Happening::Compared(rows, waiting, used) => self.compare(rows, waiting, *used),
            Happening::Exit(pid) => {
                self.journal.exited(process(*pid), &self.ledger, self.now);
                self.ledger.note_exit(process(*pid));
            }
            Happening::Ticks(times) => {
                for _ in 0..*times {
                    self.now = self.now + Duration::from_millis(1001);
                    self.ledger.tick(self.now);
                    let mut findings = Vec::new();
                    self.rules.tick(self.now, &self.ledger, &mut findings);
                    self.journal.tick(self.now);
                    self.looks
                        .push((self.now, findings, books(&self.ledger, self.now)));
                }
            }
            Happening::Rotation => self.begin(),
        }
    }

    fn compare(&mut self, rows: &[Row], waiting: &[(u64, bool)], used: u32) {
        let now = self.now;
        let at = now.earlier(Duration::from_millis(3));
        let mut snapshot = Snapshot {
            began: now.earlier(Duration::from_millis(7)),
            ..Snapshot::default()
        };
        for (fd, row) in rows.iter().enumerate() {
            let Opening {
                local, peer, netns, ..
            } = opening(row.id, 0);
            for holder in &row.holders {
                snapshot.held.push(Held {
                    id: ConnectionId(row.id),
                    process: process(*holder),
                    comm: comm(*holder, row.name),
                    fd: u32::try_from(fd).unwrap(),
                    inode: row.id,
                    netns,
                    local,
                    peer,
                    phase: row.phase,
                    at,
                    age_at_least: Duration::from_secs(row.carried * 40),
                    idle: Duration::from_secs(row.carried),
                    sent: row.carried,
                    received: 0,
                });
            }
        }
        let listener = Listener {
            id: ListenerId(500),
            process: process(0),
            comm: comm(0, 0),
            netns: 77,
            local: address(1, 80),
            queued: u32::try_from(waiting.len()).unwrap(),
            queue_limit: 2,
            at,
        };
        snapshot.listeners.push(listener);
        for (id, given_up) in waiting {
            let id = id - id % 3;
            let Opening { local, peer, .. } = opening(id, 0);
            snapshot.waiting.push(Waiting {
                id: ConnectionId(id),
                listener: ListenerId(500),
                local,
                peer,
                given_up: *given_up,
                at,
                waited: Duration::from_secs(12),
            });
        }
        for pid in 0..2 {
            snapshot.descriptors.push(Descriptors {
                process: process(pid),
                comm: comm(pid, 0),
                used: used + pid,
                sockets: used,
                limit: Some(150),
                at,
            });
        }
        self.ledger.begin_snapshot();
        let mut facts = Vec::new();
        // What no filter lets in.
        let admits = |opening: &Opening| opening.peer.port() != 40_003;
        let reconciled = self.ledger.reconcile(&snapshot, now, admits, &mut facts);
        self.change(|_, all| *all = facts);
        self.journal
            .reconciled(&snapshot, &self.ledger, &reconciled, 0, now);
    }
}

/// What a replay of these lines says at each look.
fn replay(bytes: &[u8], is_strict: bool) -> Vec<Look> {
    let (entries, cut) = read(bytes, 1 << 16).unwrap();
    assert_eq!(cut, None);
    let mut ledger = Ledger::new(Limits::default());
    let mut rules = rules(is_strict);
    let mut player = Player::new();
    let mut looks = Vec::new();
    let mut facts = Vec::new();
    for (number, entry) in entries.into_iter().enumerate() {
        match entry {
            Entry::Line(Line::Header(_)) => {
                if number > 0 {
                    player.go_on();
                }
            }
            Entry::Line(Line::Tick(tick)) => {
                player.settle(tick.ts, &mut ledger, &mut facts);
                facts.drain(..).for_each(|fact| rules.observe(&fact));
                ledger.tick(tick.ts);
                let mut findings = Vec::new();
                rules.tick(tick.ts, &ledger, &mut findings);
                looks.push((tick.ts, findings, books(&ledger, tick.ts)));
            }
            Entry::Line(line) => {
                player.play(line, &mut ledger, &mut facts, |_| true);
                facts.drain(..).for_each(|fact| rules.observe(&fact));
            }
            other => panic!("line {}: {other:?}", number + 1),
        }
    }
    looks
}

/// A tracer that saw this.
fn recorded(happenings: &[(u64, Happening)], is_strict: bool) -> Live {
    let mut live = Live::new(is_strict);
    for (pause, happening) in happenings {
        live.now = live.now + Duration::from_millis(*pause);
        live.live(happening);
    }
    live
}

fn is_the_same(happenings: &[(u64, Happening)], is_strict: bool) -> Result<usize, TestCaseError> {
    let mut live = recorded(happenings, is_strict);
    let (lines, _) = live.journal.take();
    let replayed = replay(&lines, is_strict);
    let text = String::from_utf8_lossy(&lines);
    prop_assert_eq!(replayed.len(), live.looks.len());
    let mut findings = 0;
    for (before, after) in live.looks.iter().zip(&replayed) {
        findings += before.1.len();
        if before.2 != after.2 {
            let differences: Vec<_> = before
                .2
                .lines()
                .zip(after.2.lines())
                .filter(|(a, b)| a != b)
                .take(6)
                .collect();
            prop_assert!(false, "books at {:?}: {:?}\n{}", before.0, differences, text);
        }
        prop_assert_eq!(&before.1, &after.1, "{}", text);
    }
    Ok(findings)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_replay_finds_what_was_found_live(happenings in happenings()) {
        is_the_same(&happenings, false)?;
    }

    #[test]
    fn a_replay_finds_what_the_strict_rule_found_live(happenings in happenings()) {
        is_the_same(&happenings, true)?;
    }
}

#[test]
fn histories_are_such_that_something_is_found() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let mut found = [0; 2];
    let validator = super::schema::validator();
    for _ in 0..40 {
        let history = happenings().new_tree(&mut runner).unwrap().current();
        for line in recorded(&history, true)
            .journal
            .take()
            .0
            .split(|byte| *byte == b'\n')
        {
            if !line.is_empty() {
                let line = serde_json::from_slice(line).unwrap();
                assert!(
                    validator.is_valid(&line),
                    "{line}: {:?}",
                    validator.validate(&line)
                );
            }
        }
        found[0] += is_the_same(&history, false).unwrap();
        found[1] += is_the_same(&history, true).unwrap();
    }
    assert!(found.iter().all(|found| *found >= 5), "{found:?}");
}
