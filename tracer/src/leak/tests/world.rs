//! Books and the survivor rule, second by second.

use std::time::Duration;

use crate::{
    leak::{
        Detector as _,
        evidence::Leak,
        finding::{Finding, Kind, Stage},
        survivors::SurvivorRule,
        thresholds::{Sensitivity, Thresholds},
    },
    model::{
        connection::{ConnectionId, Direction, Phase, ProcessId},
        event::{EndCause, Event, EventKind, Opening, StateChange},
        ledger::{Ledger, Limits},
        name::Comm,
        snapshot::{Descriptors, Held, Reconciled, Snapshot},
        stack::Opener,
        time::Time,
    },
};

pub(super) const HOUR: u64 = 3600;

/// Books and the rule, second by second.
pub(super) struct World {
    pub(super) ledger: Ledger,
    pub(super) rule: SurvivorRule,
    pub(super) now: u64,
    pub(super) next: u64,
    pub(super) process: ProcessId,
    pub(super) limit: u64,
    pub(super) files: u32,
    pub(super) direction: Direction,
    pub(super) told: Vec<(u64, Finding)>,
}

impl World {
    pub(super) fn new(limit: u64) -> Self {
        Self::with(Sensitivity::Normal, limit)
    }

    pub(super) fn with(sensitivity: Sensitivity, limit: u64) -> Self {
        Self {
            ledger: Ledger::new(Limits::default()),
            rule: SurvivorRule::new(Thresholds::new(sensitivity), 1000),
            now: 500_000,
            next: 0,
            process: ProcessId {
                pid: 4711,
                start: Time(1),
            },
            limit,
            files: 0,
            direction: Direction::Outbound,
            told: Vec::new(),
        }
    }

    pub(super) fn at(&self) -> Time {
        Time(0) + Duration::from_secs(self.now)
    }

    pub(super) fn event(&mut self, id: u64, kind: EventKind) {
        let mut facts = Vec::new();
        let event = Event {
            at: self.at(),
            id: ConnectionId(id),
            kind,
        };
        self.ledger.apply(&event, &mut facts);
        for fact in &facts {
            self.rule.observe(fact);
        }
    }

    pub(super) fn opening(&self, peer: u32) -> Opening {
        Opening {
            process: self.process,
            comm: Comm::from("controller"),
            direction: self.direction,
            connecting: false,
            local: ([10, 0, 0, 1], 40_000).into(),
            peer: (std::net::Ipv4Addr::from_bits(0x0a01_0000 + peer), 9090).into(),
            netns: 1,
            stack: Opener::NOT_ASKED,
        }
    }

    pub(super) fn open(&mut self) -> u64 {
        self.open_to(7)
    }

    pub(super) fn open_to(&mut self, peer: u32) -> u64 {
        self.next += 1;
        let opening = self.opening(peer);
        self.event(self.next, EventKind::Opened(opening));
        self.next
    }

    pub(super) fn close(&mut self, id: u64) {
        self.event(id, EventKind::Released { connected: true });
        self.event(id, EventKind::Ended(EndCause::Destroyed));
    }

    pub(super) fn peer_closes(&mut self, id: u64) {
        self.event(id, EventKind::State(StateChange::PeerClosed));
    }

    fn descriptors(&self, open: u32) -> Descriptors {
        Descriptors {
            process: self.process,
            comm: Comm::from("controller"),
            used: open + 10 + self.files,
            sockets: open,
            limit: Some(self.limit),
            at: self.at(),
        }
    }

    /// A second passes.
    pub(super) fn tick(&mut self) {
        self.now += 1;
        let now = self.at();
        if self.now.is_multiple_of(30) {
            let table = self.descriptors(self.ledger.total().open);
            self.ledger.note_descriptors(table);
        }
        self.ledger.tick(now);
        let mut findings = Vec::new();
        self.rule.tick(now, &self.ledger, &mut findings);
        self.told
            .extend(findings.into_iter().map(|finding| (self.now, finding)));
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.tick();
        }
    }

    /// Seconds pass in which these connections carry data once a minute; all others carry nothing.
    pub(super) fn pass_in_use(&mut self, seconds: u64, used: &[u64]) {
        self.ledger.expect_traffic();
        for _ in 0..seconds {
            if self.now.is_multiple_of(60) {
                let now = self.at();
                for id in used {
                    self.ledger
                        .note_traffic(ConnectionId(*id), (self.now, self.now), Duration::ZERO, now);
                }
            }
            self.tick();
        }
    }

    /// A comparison with the kernel's tables, in which these are held, in the phases that the books know, and
    /// have been silent for ten minutes.
    pub(super) fn compare(&mut self, ids: impl IntoIterator<Item = u64>) {
        self.compare_to(ids, |_| 7);
    }

    /// The same, with peers by their last byte.
    pub(super) fn compare_to(&mut self, ids: impl IntoIterator<Item = u64>, peer: impl Fn(u64) -> u8) {
        let at = self.at();
        let held = ids.into_iter().map(|id| Held {
            id: ConnectionId(id),
            process: self.process,
            comm: Comm::from("controller"),
            fd: 3,
            inode: id,
            netns: 1,
            local: ([10, 0, 0, 1], 40_000).into(),
            peer: ([10, 1, 0, peer(id)], 9090).into(),
            phase: self.ledger.phase(ConnectionId(id)).unwrap_or(Phase::Open),
            at,
            age_at_least: Duration::ZERO,
            idle: Duration::from_mins(10),
            sent: 0,
            received: 0,
        });
        let held: Vec<Held> = held.collect();
        let open = u32::try_from(held.len()).unwrap();
        let snapshot = Snapshot {
            began: at,
            held,
            descriptors: vec![self.descriptors(open)],
            ..Snapshot::default()
        };
        let mut facts = Vec::new();
        self.ledger.begin_snapshot();
        let _: Reconciled = self.ledger.reconcile(&snapshot, at, |_| true, &mut facts);
        for fact in &facts {
            self.rule.observe(fact);
        }
    }

    /// `count` connections every `every` seconds that stay.
    pub(super) fn leak(&mut self, seconds: u64, every: u64, count: u32) -> Vec<u64> {
        let mut ids = Vec::new();
        for second in 0..seconds {
            if second.is_multiple_of(every) {
                ids.extend((0..count).map(|_| self.open()));
            }
            self.tick();
        }
        ids
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        self.told.iter().map(|(_, finding)| finding.stage).collect()
    }

    pub(super) fn first(&self) -> (u64, &Leak) {
        let (at, finding) = self.told.first().expect("something is told");
        (*at, leak(finding))
    }
}

pub(super) fn leak(finding: &Finding) -> &Leak {
    match &finding.kind {
        Kind::Leak(leak) => leak,
        other => panic!("{other:?} is no leak"),
    }
}
