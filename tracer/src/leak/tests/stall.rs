//! A server is stalled if its queue does not move, and if nothing else.

use std::{net::SocketAddr, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::at;
use crate::{
    leak::{
        Detector as _, Parameters, Rules,
        finding::{Finding, Kind, Queue, Resolution, Stage, Stalled},
        row::RowParameters,
        stall::{StallParameters, StallRule},
        thresholds::Sensitivity,
    },
    model::{
        connection::{ConnectionId, Direction, Phase, ProcessId},
        event::{Event, EventKind, Opening},
        ledger::{Ledger, Limits},
        name::Comm,
        snapshot::{Descriptors, Held, Listener, ListenerId, Snapshot, Waiting},
        stack::Opener,
        time::Time,
    },
};

const OPENED: [Stage; 1] = [Stage::Opened];
const UPDATED: [Stage; 1] = [Stage::Updated];
const ACCEPTING: [Stage; 1] = [Stage::Resolved(Resolution::AcceptingAgain)];
const GONE: [Stage; 1] = [Stage::Resolved(Resolution::ListenerGone)];

fn process(pid: u32) -> ProcessId {
    ProcessId { pid, start: Time(1) }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A listening socket on port 9090 at some moment.
#[derive(Clone)]
struct Socket {
    holders: Vec<u32>,
    /// Descriptors in use and limit of some processes.
    tables: Vec<(u32, u32, u64)>,
    queued: u32,
    queue_limit: u32,
    /// Numbers of connections, and how long each has waited.
    waiting: Vec<(u64, f64)>,
}

impl Socket {
    /// A queue in which these wait.
    fn queue(waiting: &[(u64, f64)]) -> Self {
        Self {
            holders: vec![10],
            tables: vec![(10, 20, 1024)],
            queued: u32::try_from(waiting.len()).unwrap(),
            queue_limit: 128,
            waiting: waiting.to_vec(),
        }
    }

    /// The same, the descriptors of its process being used like this.
    fn using(self, used: u32, limit: u64) -> Self {
        Self {
            tables: vec![(10, used, limit)],
            ..self
        }
    }

    fn limited_to(self, queue_limit: u32) -> Self {
        Self { queue_limit, ..self }
    }

    fn listeners(&self, id: u64, now: Time) -> impl Iterator<Item = Listener> {
        self.holders.iter().map(move |pid| Listener {
            id: ListenerId(id),
            process: process(*pid),
            comm: Comm::from("grpc-server"),
            netns: 1,
            local: "0.0.0.0:9090".parse().unwrap(),
            queued: self.queued,
            queue_limit: self.queue_limit,
            at: now,
        })
    }

    fn waiting(&self, id: u64, now: Time) -> impl Iterator<Item = Waiting> {
        self.waiting.iter().map(move |(number, waited)| Waiting {
            id: ConnectionId(*number),
            listener: ListenerId(id),
            local: "10.0.0.1:9090".parse().unwrap(),
            peer: peer(*number),
            given_up: number % 4 == 0,
            at: now,
            waited: seconds(*waited),
        })
    }

    fn descriptors(&self, now: Time) -> impl Iterator<Item = Descriptors> {
        self.tables.iter().map(move |(pid, used, limit)| Descriptors {
            process: process(*pid),
            comm: Comm::from("grpc-server"),
            used: *used,
            sockets: used / 2,
            limit: Some(*limit),
            at: now,
        })
    }
}

/// The connections 0 to 9 come from 10.0.1.0, 10 to 19 from 10.0.1.1, and so on.
fn peer(number: u64) -> SocketAddr {
    let last = u8::try_from(number / 10 % 256).unwrap();
    ([10, 0, 1, last], 40_000).into()
}

struct Host {
    ledger: Ledger,
    rule: StallRule,
    told: Vec<Finding>,
}

impl Host {
    fn new() -> Self {
        Self::with(StallParameters::default())
    }

    fn with(parameters: StallParameters) -> Self {
        Self {
            ledger: Ledger::new(Limits::default()),
            rule: StallRule::new(parameters),
            told: Vec::new(),
        }
    }

    /// A snapshot of these sockets, and a look at it.
    fn see(&mut self, now: f64, sockets: &[(u64, Socket)]) -> Vec<Stage> {
        let at = at(now);
        let snapshot = Snapshot {
            began: at,
            waiting: sockets
                .iter()
                .flat_map(|(id, socket)| socket.waiting(*id, at))
                .collect(),
            listeners: sockets
                .iter()
                .flat_map(|(id, socket)| socket.listeners(*id, at))
                .collect(),
            descriptors: sockets
                .iter()
                .flat_map(|(_, socket)| socket.descriptors(at))
                .collect(),
            ..Snapshot::default()
        };
        self.ledger.reconcile(&snapshot, at, |_| true, &mut Vec::new());
        self.tick(now)
    }

    fn see_one(&mut self, now: f64, socket: Socket) -> Vec<Stage> {
        self.see(now, &[(7, socket)])
    }

    fn tick(&mut self, now: f64) -> Vec<Stage> {
        let mut findings = Vec::new();
        self.ledger.tick(at(now));
        self.rule.tick(at(now), &self.ledger, &mut findings);
        self.told.extend(findings.iter().cloned());
        findings.iter().map(|finding| finding.stage).collect()
    }

    fn suspects(&self, now: f64) -> bool {
        self.rule.is_suspicious(at(now), &self.ledger)
    }

    /// The last one told.
    fn last(&self) -> &Stalled {
        match &self.told.last().unwrap().kind {
            Kind::Stalled(stalled) => stalled,
            other => panic!("{other:?} is of another rule"),
        }
    }
}

#[test]
fn a_server_at_its_limit_is_stalled_once_one_client_waits_in_two_snapshots() {
    let mut host = Host::new();
    let full = |waited| Socket::queue(&[(1, waited)]).using(64, 64);
    assert_eq!(host.see_one(0.0, full(2.9)), []);
    assert!(!host.suspects(0.0), "not yet stuck");
    assert_eq!(host.see_one(1.0, full(3.9)), []);
    assert!(host.suspects(1.0), "worth another look");
    assert_eq!(host.see_one(6.0, full(8.9)), OPENED);
    assert!(host.suspects(6.0), "until it is over");
    let finding = host.told[0].clone();
    assert_eq!(finding.id.to_string(), "stall-1");
    assert_eq!((finding.process, finding.netns), (process(10), Some(1)));
    let stalled = host.last();
    assert!(stalled.at_limit);
    assert_eq!((stalled.holders, stalled.holders_at_limit), (1, 1));
    assert_eq!(stalled.listener, ListenerId(7));
    assert_eq!(stalled.local, "0.0.0.0:9090".parse().unwrap());
    assert_eq!(
        stalled.descriptors.map(|table| (table.used, table.limit)),
        Some((64, Some(64)))
    );
    assert_eq!((stalled.queue.length, stalled.queue.waited), (1, seconds(8.9)));
    assert_eq!(stalled.since, at(6.0).earlier(seconds(8.9)));
    assert_eq!(stalled.stuck_for, seconds(5.0), "first in two that were stuck");
}

#[test]
fn a_server_that_just_stops_accepting_takes_three_clients_and_ten_seconds() {
    let mut host = Host::new();
    let queue = |waiting: &[(u64, f64)]| Socket::queue(waiting);
    // Two are too few, however long they wait.
    assert_eq!(host.see_one(0.0, queue(&[(1, 60.0), (2, 50.0)])), []);
    assert_eq!(host.see_one(30.0, queue(&[(1, 90.0), (2, 80.0)])), []);
    // Three are enough, but the first must have waited in both snapshots.
    let mut host = Host::new();
    assert_eq!(host.see_one(0.0, queue(&[(1, 9.0), (2, 1.0), (3, 1.0)])), []);
    assert_eq!(host.see_one(5.0, queue(&[(1, 14.0), (2, 6.0), (3, 6.0)])), []);
    assert_eq!(
        host.see_one(10.0, queue(&[(1, 19.0), (2, 11.0), (3, 11.0)])),
        OPENED
    );
    assert!(!host.last().at_limit);
}

#[test]
fn a_full_queue_makes_it_plain_sooner() {
    let mut host = Host::new();
    // `queued > limit` is full.
    let full = |waited| Socket::queue(&[(1, waited), (2, waited)]).limited_to(1);
    assert_eq!(host.see_one(0.0, full(3.0)), []);
    assert_eq!(host.see_one(1.0, full(4.0)), OPENED);
    let mut host = Host::new();
    let room = |waited| Socket::queue(&[(1, waited), (2, waited)]).limited_to(2);
    assert_eq!(host.see_one(0.0, room(3.0)), []);
    assert_eq!(host.see_one(1.0, room(4.0)), []);
}

#[test]
fn a_server_that_has_just_got_descriptors_again_gets_the_time_to_accept() {
    let mut host = Host::new();
    let waiting = |waited| Socket::queue(&[(1, waited), (2, waited), (3, waited)]);
    assert_eq!(host.see_one(0.0, waiting(9.0).using(64, 64)), []);
    assert_eq!(
        host.see_one(5.0, waiting(14.0).using(12, 64)),
        [],
        "its clients have just gone"
    );
    assert_eq!(
        host.see_one(10.0, waiting(19.0).using(12, 64)),
        OPENED,
        "it does not use it"
    );
    assert!(!host.last().at_limit);
    assert_eq!(host.last().stuck_for, seconds(5.0));
}

#[test]
fn one_snapshot_is_no_confirmation_however_often_it_is_looked_at() {
    let mut host = Host::new();
    let stuck = |waited| Socket::queue(&[(1, waited)]).using(64, 64);
    assert_eq!(host.see_one(0.0, stuck(60.0)), []);
    for second in 1..30_u32 {
        assert_eq!(host.tick(f64::from(second)), [], "second {second}");
    }
    // Nor are two within a second.
    assert_eq!(host.see_one(0.9, stuck(60.9)), []);
    assert_eq!(host.see_one(1.0, stuck(61.0)), OPENED);
}

#[test]
fn another_thread_blocked_in_accept_may_hold_the_last_descriptor() {
    for (used, found) in [(63, true), (62, false)] {
        let mut host = Host::new();
        let queue = |waited| Socket::queue(&[(1, waited)]).using(used, 64);
        host.see_one(0.0, queue(5.0));
        host.see_one(5.0, queue(10.0));
        assert_eq!(host.told.len(), usize::from(found), "{used} of 64");
    }
}

#[test]
fn a_server_without_a_known_limit_is_not_at_it() {
    for tables in [vec![], vec![(11, 64, 64)]] {
        let mut host = Host::new();
        let queue = |waited| Socket {
            tables: tables.clone(),
            ..Socket::queue(&[(1, waited)])
        };
        assert_eq!(host.see_one(0.0, queue(5.0)), []);
        assert_eq!(host.see_one(5.0, queue(10.0)), []);
    }
}

#[test]
fn a_prefork_server_is_at_its_limit_if_all_that_are_known_are() {
    let see_twice = |tables: &[(u32, u32, u64)]| {
        let mut host = Host::new();
        for (now, waited) in [(0.0, 11.0), (5.0, 16.0)] {
            let waiting = [(1, waited), (2, waited), (3, waited)];
            let socket = Socket {
                holders: vec![12, 10, 11],
                tables: tables.to_vec(),
                ..Socket::queue(&waiting)
            };
            host.see_one(now, socket);
        }
        assert_eq!(host.told[0].process, process(10), "the lowest id stands for all");
        let stalled = host.last();
        (stalled.at_limit, stalled.holders_at_limit, stalled.holders)
    };
    assert_eq!(
        see_twice(&[(10, 64, 64), (11, 64, 64), (12, 64, 64)]),
        (true, 3, 3)
    );
    assert_eq!(see_twice(&[(11, 64, 64), (12, 64, 64)]), (true, 2, 3));
    assert_eq!(
        see_twice(&[(10, 9, 64), (11, 64, 64), (12, 64, 64)]),
        (false, 2, 3)
    );
    assert_eq!(see_twice(&[]), (false, 0, 3));
}

#[test]
fn who_waits_is_counted_by_peer_and_bounded() {
    let mut host = Host::new();
    let waiting = |waited| -> Vec<(u64, f64)> {
        // Ten of peer 0, nine of peer 1, ..., one of peer 9.
        (0..10)
            .flat_map(|peer| (0..10 - peer).map(move |number| (peer * 10 + number, waited)))
            .collect()
    };
    let socket = |waited| Socket {
        queued: 90,
        ..Socket::queue(&waiting(waited))
    };
    host.see_one(0.0, socket(11.0));
    assert_eq!(host.see_one(5.0, socket(16.0)), OPENED);
    let queue = &host.last().queue;
    let named: Vec<(String, u32)> = queue
        .peers
        .iter()
        .map(|(peer, count)| (peer.to_string(), *count))
        .collect();
    let expected =
        [(0, 10), (1, 9), (2, 8), (3, 7), (4, 6)].map(|(last, count)| (format!("10.0.1.{last}"), count));
    assert_eq!(named, expected);
    assert_eq!(queue.elsewhere, 5 + 4 + 3 + 2 + 1);
    assert_eq!((queue.length, queue.examined), (90, 55));
    // 0, 4, 8; 12, 16; 20, 24; 32, 36; 40, 44; 52; 60; 72; 80.
    assert_eq!(queue.given_up, 15);
}

#[test]
fn the_connections_that_the_process_holds_are_named() {
    let mut host = Host::new();
    for number in 0..56_u64 {
        let last = if number < 50 { 9 } else { 5 };
        let opening = Opening {
            process: process(if number == 55 { 99 } else { 10 }),
            comm: Comm::from("grpc-server"),
            direction: Direction::Inbound,
            connecting: false,
            local: "10.0.0.1:9090".parse().unwrap(),
            peer: ([10, 0, 0, last], 40_000).into(),
            netns: 1,
            stack: Opener::NOT_ASKED,
        };
        let event = Event {
            at: at(0.0),
            id: ConnectionId(1000 + number),
            kind: EventKind::Opened(opening),
        };
        host.ledger.apply(&event, &mut Vec::new());
    }
    // Before a second snapshot misses those connections.
    let socket = Socket::queue(&[(1, 5.0)]).using(64, 64);
    host.rule = StallRule::new(StallParameters {
        confirm_after: Duration::ZERO,
        ..StallParameters::default()
    });
    assert_eq!(host.see_one(0.0, socket), OPENED);
    let held: Vec<(String, u32)> = host
        .last()
        .held
        .iter()
        .map(|(key, open)| (key.peer.to_string(), *open))
        .collect();
    assert_eq!(held, [("10.0.0.9".to_owned(), 50), ("10.0.0.5".to_owned(), 5)]);
}

/// A server that is stalled at second 5, the connection 1 being the first of two in its queue.
fn stalled_server() -> Host {
    let mut host = Host::new();
    host.see_one(0.0, Socket::queue(&[(1, 5.0)]).using(64, 64));
    let stages = host.see_one(5.0, Socket::queue(&[(1, 10.0), (2, 1.0)]).using(64, 64));
    assert_eq!(stages, OPENED);
    host
}

#[test]
fn doubling_is_news_and_so_is_a_full_queue_once() {
    let mut host = stalled_server();
    let queue = |waited, queued| Socket {
        queued,
        ..Socket::queue(&[(1, waited), (2, 9.0)])
            .using(64, 64)
            .limited_to(9)
    };
    assert_eq!(host.see_one(10.0, queue(15.0, 3)), []);
    assert_eq!(host.see_one(15.0, queue(20.0, 4)), UPDATED);
    assert_eq!(host.see_one(20.0, queue(25.0, 7)), []);
    assert_eq!(host.see_one(25.0, queue(30.0, 8)), UPDATED);
    assert_eq!(host.see_one(30.0, queue(35.0, 10)), UPDATED, "full");
    assert!(host.last().queue.is_full());
    assert_eq!(host.see_one(35.0, queue(40.0, 9)), []);
    assert_eq!(host.see_one(40.0, queue(45.0, 10)), [], "told already");
    let stalled = host.last();
    assert_eq!((stalled.peak, stalled.stuck_for), (10, seconds(30.0)));
}

#[test]
fn it_is_over_when_the_queue_stays_empty() {
    let mut host = stalled_server();
    let empty = || Socket::queue(&[]).using(60, 64);
    assert_eq!(host.see_one(10.0, empty()), []);
    assert_eq!(host.tick(20.0), [], "time alone proves nothing");
    assert_eq!(host.see_one(15.0, empty()), ACCEPTING);
    let stalled = host.last();
    assert_eq!((stalled.queue.length, stalled.peak), (0, 2));
    assert_eq!(stalled.since, at(-5.0), "when it began does not change");
    assert!(!host.suspects(15.0));
    assert_eq!(host.see_one(20.0, empty()), [], "told once");
}

#[test]
fn it_is_over_when_the_queue_moves_and_nobody_in_it_waits_long() {
    let mut host = stalled_server();
    assert_eq!(host.see_one(10.0, Socket::queue(&[(3, 0.5), (4, 0.1)])), []);
    assert_eq!(host.see_one(15.0, Socket::queue(&[(5, 0.2)])), ACCEPTING);
    let first = host.told[0].id;
    assert_eq!(host.told[1].id, first);
    // It may come again, and is another one.
    host.see_one(20.0, Socket::queue(&[(6, 5.0)]).using(64, 64));
    assert_eq!(
        host.see_one(25.0, Socket::queue(&[(6, 10.0)]).using(64, 64)),
        OPENED
    );
    assert_ne!(host.told[2].id, first);
}

#[test]
fn a_higher_limit_alone_is_no_cure() {
    let mut host = Host::new();
    host.see_one(0.0, Socket::queue(&[(1, 3.0)]).using(64, 64));
    assert_eq!(
        host.see_one(1.0, Socket::queue(&[(1, 4.0)]).using(64, 64)),
        OPENED
    );
    for step in 0..5_u32 {
        let second = f64::from(step);
        // The same connection is still the first: one that had come instead would be in time.
        let socket = Socket::queue(&[(1, 5.0 + second)]).using(64, 4096);
        assert_eq!(host.see_one(2.0 + second, socket), [], "second {second}");
    }
    host.see_one(7.0, Socket::queue(&[(2, 5.0)]).using(64, 4096));
    assert_eq!(
        host.see_one(12.0, Socket::queue(&[(3, 5.0)]).using(64, 4096)),
        ACCEPTING
    );
}

#[test]
fn a_server_that_takes_one_now_and_then_is_told_once() {
    let mut host = stalled_server();
    for step in 1..60_u32 {
        let second = 5.0 + 5.0 * f64::from(step);
        // Every twenty seconds a descriptor comes free: for an instant the queue is short and young.
        let (head, waited) = (u64::from(step / 4), f64::from(step % 4) * 5.0 + 0.5);
        let socket = Socket::queue(&[(100 + head, waited)]).using(64, 64);
        assert_eq!(host.see_one(second, socket), [], "second {second}");
    }
}

#[test]
fn a_queue_that_cannot_be_read_changes_nothing() {
    let mut host = stalled_server();
    let unread = || Socket {
        queued: 2,
        ..Socket::queue(&[])
    };
    for step in 1..10_u32 {
        assert_eq!(host.see_one(5.0 + f64::from(step), unread()), [], "step {step}");
    }
    assert!(host.suspects(15.0));
    // Nor does it confirm.
    let mut host = Host::new();
    assert_eq!(host.see_one(0.0, Socket::queue(&[(1, 5.0)]).using(64, 64)), []);
    assert_eq!(host.see_one(5.0, unread().using(64, 64)), []);
    assert_eq!(
        host.see_one(10.0, Socket::queue(&[(1, 15.0)]).using(64, 64)),
        OPENED
    );
}

#[test]
fn a_listener_that_is_gone_ends_it() {
    let mut host = stalled_server();
    assert_eq!(host.see(10.0, &[]), GONE);
    let stalled = host.last();
    assert_eq!((&stalled.queue, stalled.peak), (&Queue::default(), 2));
    assert!(!host.suspects(10.0));
    // What was only suspected goes without a word.
    let mut host = Host::new();
    host.see_one(0.0, Socket::queue(&[(1, 5.0)]).using(64, 64));
    assert_eq!(host.see(5.0, &[]), []);
}

#[test]
fn a_finding_follows_the_socket_to_who_holds_it() {
    let mut host = stalled_server();
    let inherited = Socket {
        holders: vec![11],
        tables: vec![(11, 64, 64)],
        ..Socket::queue(&[(1, 15.0), (2, 6.0), (3, 1.0), (4, 1.0)])
    };
    assert_eq!(host.see_one(10.0, inherited), UPDATED);
    assert_eq!(host.told[1].id, host.told[0].id);
    assert_eq!(host.told[1].process, process(11));
    assert_eq!(
        host.last().descriptors.map(|table| table.process),
        Some(process(11))
    );
}

#[test]
fn servers_are_judged_apart_and_told_in_a_fixed_order() {
    let mut host = Host::new();
    let stuck = |head, waited| Socket::queue(&[(head, waited)]).using(64, 64);
    let sockets = |waited| {
        let idle = Socket {
            holders: vec![11],
            tables: vec![(11, 20, 64)],
            ..Socket::queue(&[(3, 0.0)])
        };
        [(9, stuck(1, waited)), (8, stuck(2, waited)), (7, idle)]
    };
    host.see(0.0, &sockets(5.0));
    assert_eq!(host.see(5.0, &sockets(10.0)), [Stage::Opened; 2]);
    let told: Vec<(String, ListenerId)> = host
        .told
        .iter()
        .map(|finding| match &finding.kind {
            Kind::Stalled(stalled) => (finding.id.to_string(), stalled.listener),
            Kind::Leak(_) | Kind::Exhaustion(_) => unreachable!("only the stall rule runs"),
        })
        .collect();
    assert_eq!(
        told,
        [
            ("stall-1".to_owned(), ListenerId(8)),
            ("stall-2".to_owned(), ListenerId(9))
        ]
    );
}

#[test]
fn what_is_new_is_told_last() {
    let mut host = Host::new();
    let queue = |id, head, waited, queued| {
        let socket = Socket::queue(&[(head, waited)]).using(64, 64);
        (id, Socket { queued, ..socket })
    };
    host.see(0.0, &[queue(9, 1, 5.0, 1), queue(8, 2, 0.0, 1)]);
    assert_eq!(
        host.see(5.0, &[queue(9, 1, 10.0, 1), queue(8, 2, 5.0, 1)]),
        OPENED
    );
    let stages = host.see(10.0, &[queue(9, 1, 15.0, 2), queue(8, 2, 10.0, 1)]);
    assert_eq!(stages, [Stage::Updated, Stage::Opened]);
}

#[test]
fn a_shorter_wait_holds_at_the_limit_too() {
    let mut host = Host::with(StallParameters {
        min_wait: seconds(1.0),
        min_waiting: 1,
        ..StallParameters::default()
    });
    for socket in [
        Socket::queue(&[(1, 1.5)]),
        Socket::queue(&[(1, 1.5)]).using(64, 64),
    ] {
        host.see_one(0.0, socket);
        assert!(host.suspects(0.0));
    }
}

#[test]
fn both_rules_run_side_by_side() {
    let mut ledger = Ledger::new(Limits::default());
    let parameters = Parameters {
        row: Some(RowParameters::default()),
        ..Parameters::new(Sensitivity::Normal)
    };
    let mut rules = Rules::new(&parameters, 100);
    assert!(!rules.is_suspicious(at(0.0), &ledger));
    let mut facts = Vec::new();
    let mut held = Vec::new();
    for second in 0..20_u64 {
        let local: SocketAddr = "10.0.0.1:9090".parse().unwrap();
        let id = ConnectionId(100 + second);
        held.push(Held {
            id,
            process: process(10),
            comm: Comm::from("grpc-server"),
            fd: 3,
            inode: 1,
            netns: 1,
            local,
            peer: peer(0),
            phase: Phase::Open,
            at: at(0.0),
            age_at_least: Duration::ZERO,
            idle: Duration::ZERO,
            sent: 0,
            received: 0,
        });
        let opening = Opening {
            process: process(10),
            comm: Comm::from("grpc-server"),
            direction: Direction::Inbound,
            connecting: false,
            local,
            peer: peer(0),
            netns: 1,
            stack: Opener::NOT_ASKED,
        };
        let event = Event {
            at: at(0.0) + Duration::from_secs(second),
            id,
            kind: EventKind::Opened(opening),
        };
        ledger.apply(&event, &mut facts);
    }
    for fact in facts.drain(..) {
        rules.observe(&fact);
    }
    assert!(rules.is_suspicious(at(20.0), &ledger), "growth");
    let socket = Socket::queue(&[(1, 5.0)]).using(64, 64);
    let snapshot = Snapshot {
        began: at(20.0),
        held,
        waiting: socket.waiting(7, at(20.0)).collect(),
        listeners: socket.listeners(7, at(20.0)).collect(),
        descriptors: socket.descriptors(at(20.0)).collect(),
        ..Snapshot::default()
    };
    ledger.reconcile(&snapshot, at(20.0), |_| true, &mut facts);
    let mut findings = Vec::new();
    rules.tick(at(20.0), &ledger, &mut findings);
    assert!(rules.is_suspicious(at(20.0), &ledger), "the queue");
    let ids: Vec<String> = findings.iter().map(|finding| finding.id.to_string()).collect();
    assert_eq!(ids, ["leak-1"]);
}

/// A snapshot some time after another: seconds between them, the others that wait, their waiting times, descriptors.
fn steps() -> impl Strategy<Value = Vec<(f64, Vec<f64>, u32, u32)>> {
    let step = (0.1..40.0_f64, vec(0.0..600.0_f64, 0..6), 60..=64_u32, 0..6_u32);
    vec(step, 1..40)
}

proptest! {
    #[test]
    fn a_queue_whose_head_changes_between_snapshots_is_never_told(steps in steps()) {
        let mut host = Host::new();
        let (mut now, mut head) = (0.0, 0);
        for (pause, mut waited, used, queue_limit) in steps {
            now += pause;
            waited.sort_by(|a, b| b.total_cmp(a));
            // What waited behind may still wait, at the head now; the old head is gone.
            head += 1;
            let waiting: Vec<(u64, f64)> = (head..).zip(waited).collect();
            let socket = Socket::queue(&waiting).using(used, 64).limited_to(queue_limit);
            prop_assert_eq!(host.see_one(now, socket), []);
        }
    }

    #[test]
    fn whatever_happens_findings_open_and_resolve_in_turn(
        steps in vec((0.5..20.0_f64, 0..3_u64, 0..4_u32, any::<bool>()), 1..60),
    ) {
        let mut host = Host::new();
        let (mut now, mut head, mut arrived) = (0.0, 0, 0.0);
        for (pause, moved, behind, exists) in steps {
            now += pause;
            if moved > 0 {
                // A connection that arrived meanwhile, or an older one.
                head += moved;
                arrived = if moved == 1 { now } else { now - pause };
            }
            let mut waiting = vec![(head, now - arrived)];
            waiting.extend((0..u64::from(behind)).map(|other| (1_000_000 + other, 0.1)));
            let socket = Socket::queue(&waiting).using(64, 64).limited_to(3);
            let sockets = if exists { vec![(7, socket)] } else { Vec::new() };
            host.see(now, &sockets);
        }
        let mut open = None;
        for finding in &host.told {
            match finding.stage {
                Stage::Opened => prop_assert_eq!(open.replace(finding.id), None),
                Stage::Updated => prop_assert_eq!(open, Some(finding.id)),
                Stage::Resolved(_) => prop_assert_eq!(open.take(), Some(finding.id)),
            }
        }
    }
}
