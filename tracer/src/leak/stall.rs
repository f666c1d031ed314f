//! The second rule: a server that does not accept.
//!
//! The kernel completes handshakes without the process, so clients see connect succeed, and then nothing. A queue by
//! itself says little: a busy server always has one, but it moves. Accept takes from the head (`reqsk_queue_remove`,
//! `include/net/request_sock.h`), so while the same connection is the first nothing is accepted. The rule wants to see
//! that in two snapshots.

mod look;

use std::{collections::BTreeMap, time::Duration};

use super::{
    Detector,
    finding::{Finding, FindingId, Kind, Queue, Resolution, Rule, Stage, Stalled},
};
use crate::model::{
    connection::{ConnectionId, ProcessId},
    fact::Fact,
    ledger::Ledger,
    listener::ListeningSocket,
    name::Comm,
    snapshot::{ListenerId, Waiting},
    time::Time,
};
use look::{Look, State};

/// Parameters of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StallParameters {
    /// Connections that must wait in the queue.
    pub min_waiting: u32,
    /// How long the first of them must have waited.
    pub min_wait: Duration,
    /// How long it must have waited, if that is shorter, where the reason is plain: all who hold the socket are at their
    /// descriptor limit, or the queue is full. There one connection is enough.
    pub at_limit_wait: Duration,
    /// Time between two snapshots in which it is the first and has waited that long: the queue may move between them
    /// and have been unlucky in one.
    pub confirm_after: Duration,
    /// Time between two snapshots in which the queue is empty, or the first in it is a new one that has not waited that
    /// long, and none between them that shows otherwise: then it is over.
    pub calm_for: Duration,
}

impl Default for StallParameters {
    fn default() -> Self {
        Self {
            min_waiting: 3,
            min_wait: Duration::from_secs(10),
            at_limit_wait: Duration::from_secs(3),
            confirm_after: Duration::from_secs(1),
            calm_for: Duration::from_secs(3),
        }
    }
}

/// The rule and its memory: a small record per listening socket that is, or may be, stalled.
pub struct StallRule {
    parameters: StallParameters,
    /// In an order, so that the same snapshots give the same findings.
    watched: BTreeMap<ListenerId, Watch>,
    next: u64,
}

/// What is remembered of a socket whose queue is, or was, stuck.
struct Watch {
    /// When the queue was last read.
    read: Time,
    /// The first in it.
    head: ConnectionId,
    /// The first snapshot that showed it there.
    head_since: Time,
    /// Whether the process was at its limit then.
    at_limit: bool,
    alert: Option<Alert>,
}

/// A finding that is not resolved yet.
struct Alert {
    number: u64,
    process: ProcessId,
    comm: Comm,
    netns: u32,
    /// As last seen.
    stalled: Stalled,
    /// The first of the queue when it was last stuck.
    stuck: ConnectionId,
    /// Length of the queue when last told.
    told: u32,
    /// Whether it was told that the queue is full.
    told_full: bool,
    /// The first of the snapshots in a row that show no stall.
    calm_since: Option<Time>,
}

impl StallRule {
    /// With these parameters.
    pub fn new(parameters: StallParameters) -> Self {
        Self {
            parameters,
            watched: BTreeMap::new(),
            next: 1,
        }
    }

    /// Follows a socket to the next snapshot. Gives what is to be remembered, if anything, and appends what is news.
    fn follow(&mut self, before: Option<Watch>, look: &Look<'_>, news: &mut Vec<Finding>) -> Option<Watch> {
        let read = look.socket.at;
        let mut watch = match (before, look.state()) {
            // Not a new snapshot, or one that says nothing.
            (Some(before), _) if before.read == read => return Some(before),
            (before, State::Unread) => return before.map(|before| Watch { read, ..before }),
            // A process that has got descriptors again is about to accept: it gets the time to.
            (Some(before), State::Headed(first))
                if before.head == first.id
                    && (before.alert.is_some() || !before.at_limit || look.at_limit) =>
            {
                Watch { read, ..before }
            }
            (before, State::Headed(first)) => Watch {
                read,
                head: first.id,
                head_since: read,
                at_limit: look.at_limit,
                alert: before.and_then(|before| before.alert),
            },
            (before, State::Empty) => Watch { read, ..before? },
        };
        if let Some(alert) = &mut watch.alert {
            if let Some(stage) = alert.follow(look, watch.head_since, self.parameters) {
                news.push(alert.told_as(stage));
            }
            return (!alert.is_over(read, self.parameters)).then_some(watch);
        }
        let State::Headed(first) = look.state() else {
            return None;
        };
        if !look.is_stuck(first, self.parameters) {
            return None;
        }
        if read.since(watch.head_since) >= self.parameters.confirm_after {
            let alert = Alert::new(self.next, look, first, watch.head_since);
            self.next += 1;
            news.push(alert.told_as(Stage::Opened));
            watch.alert = Some(alert);
        }
        Some(watch)
    }
}

impl Detector for StallRule {
    /// Queues are read by snapshots: no event tells of them.
    fn observe(&mut self, _fact: &Fact) {}

    fn tick(&mut self, _now: Time, ledger: &Ledger, findings: &mut Vec<Finding>) {
        let mut before = std::mem::take(&mut self.watched);
        let mut news = Vec::new();
        for socket in ledger.listeners() {
            let look = Look::at(socket, ledger);
            if let Some(watch) = self.follow(before.remove(&socket.id), &look, &mut news) {
                self.watched.insert(socket.id, watch);
            }
        }
        let gone = before.into_values().filter_map(|watch| watch.alert);
        news.extend(gone.map(Alert::told_gone));
        // New ones last.
        news.sort_unstable_by_key(|finding| finding.id);
        findings.append(&mut news);
    }

    /// Also while a finding is open: it should be resolved as soon as it is over.
    fn is_suspicious(&self, _now: Time, ledger: &Ledger) -> bool {
        let is_stuck = |socket: &ListeningSocket| {
            let look = Look::at(socket, ledger);
            matches!(look.state(), State::Headed(first) if look.is_stuck(first, self.parameters))
        };
        self.watched.values().any(|watch| watch.alert.is_some()) || ledger.listeners().iter().any(is_stuck)
    }
}

impl Alert {
    fn new(number: u64, look: &Look<'_>, first: &Waiting, head_since: Time) -> Self {
        let (process, comm) = look.socket.owner();
        Self {
            number,
            process,
            comm,
            netns: look.socket.netns,
            stalled: look.describe(0, head_since, first.at.earlier(first.waited)),
            stuck: first.id,
            told: look.socket.queued,
            told_full: look.socket.is_full(),
            calm_since: None,
        }
    }

    /// Takes in a new snapshot, and says what is news.
    fn follow(&mut self, look: &Look<'_>, head_since: Time, parameters: StallParameters) -> Option<Stage> {
        let socket = look.socket;
        // Who stood for the others may have left it to them.
        (self.process, self.comm) = socket.owner();
        self.stalled = look.describe(self.stalled.peak, head_since, self.stalled.since);
        match look.state() {
            State::Headed(first) if first.id == self.stuck || !look.is_young(first, parameters) => {
                self.stuck = first.id;
                self.calm_since = None;
            }
            _ => {
                self.calm_since.get_or_insert(socket.at);
                return self
                    .is_over(socket.at, parameters)
                    .then_some(Stage::Resolved(Resolution::AcceptingAgain));
            }
        }
        let is_news =
            socket.queued >= self.told.max(1).saturating_mul(2) || (socket.is_full() && !self.told_full);
        if !is_news {
            return None;
        }
        self.told = socket.queued;
        self.told_full |= socket.is_full();
        Some(Stage::Updated)
    }

    /// Whether it has been calm for long enough, in several snapshots.
    fn is_over(&self, read: Time, parameters: StallParameters) -> bool {
        self.calm_since
            .is_some_and(|calm| read > calm && read.since(calm) >= parameters.calm_for)
    }

    fn told_as(&self, stage: Stage) -> Finding {
        Finding {
            id: FindingId {
                rule: Rule::Stall,
                number: self.number,
            },
            stage,
            process: self.process,
            comm: self.comm,
            netns: Some(self.netns),
            kind: Kind::Stalled(self.stalled.clone()),
        }
    }

    fn told_gone(mut self) -> Finding {
        // Who waited was reset (`inet_csk_listen_stop`, `net/ipv4/inet_connection_sock.c`).
        self.stalled.queue = Queue::default();
        self.told_as(Stage::Resolved(Resolution::ListenerGone))
    }
}
