//! Books and rules, as live tracing and a replay put them together.

use std::time::Duration;

use tracer::{
    ingest::{decode::decode, intake::Intake},
    leak::{Detector as _, Parameters, Rules, finding::Finding, thresholds::Sensitivity},
    model::{
        connection::ConnectionId,
        event::{EndCause, Event, EventKind, Opening},
        fact::Fact,
        ledger::{Ledger, Limits},
        snapshot::Snapshot,
        time::Time,
    },
    recording::journal::Journal,
};

/// How often live tracing empties the ring.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Everything between a record and a finding.
pub struct Engine {
    /// The books.
    pub ledger: Ledger,
    rules: Rules,
    intake: Intake,
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    /// Findings so far.
    pub found: usize,
    now: Time,
    /// When what was read was last entered.
    looked: Time,
    /// What changes, if it is recorded.
    pub journal: Option<Journal>,
}

impl Engine {
    /// With room for so many connections and groups.
    pub fn new(connections: usize, groups: usize) -> Self {
        let limits = Limits {
            connections,
            groups,
            ..Limits::default()
        };
        Self {
            ledger: Ledger::new(limits),
            rules: Rules::new(&Parameters::new(Sensitivity::Normal), groups),
            intake: Intake::together(),
            facts: Vec::new(),
            findings: Vec::new(),
            found: 0,
            now: Time(0),
            looked: Time(0),
            journal: None,
        }
    }

    /// Keeps a journal from now on.
    pub fn keep_journal(&mut self) {
        self.ledger.keep_journal();
        self.intake = Intake::one_by_one();
        self.journal = Some(Journal::new());
    }

    /// Takes in a record; the rules look at each whole second on the way. What was read last is in the books after a
    /// [tick](Self::tick).
    ///
    /// # Panics
    /// When the record is none: it was made here.
    pub fn record(&mut self, record: &[u8]) {
        let Ok(event) = decode(record) else {
            unreachable!("a record that was made here")
        };
        let second = |time: Time| time.0 / 1_000_000_000;
        if second(event.at) > second(self.now) {
            self.tick(event.at);
        }
        if event.at.since(self.looked) >= LOOK_EVERY {
            self.settle(event.at);
        }
        self.now = event.at;
        self.intake.take(&event, &mut self.ledger, &mut self.facts);
        self.observe();
    }

    /// Takes in a snapshot.
    pub fn reconcile(&mut self, snapshot: &Snapshot, now: Time) {
        self.settle(now);
        self.ledger.begin_snapshot();
        self.ledger.reconcile(snapshot, now, |_| true, &mut self.facts);
        self.observe();
    }

    /// A connection opens and closes at once.
    pub fn short(&mut self, opening: Opening, number: u64, at: Time) {
        let id = ConnectionId(number);
        for kind in [EventKind::Opened(opening), EventKind::Ended(EndCause::Destroyed)] {
            self.ledger.apply(&Event { at, id, kind }, &mut self.facts);
        }
        self.observe();
    }

    /// What was taken in is in the books.
    pub fn settle(&mut self, now: Time) {
        self.intake.settle(&mut self.ledger, &mut self.facts);
        self.observe();
        self.looked = now;
    }

    /// Lets the rules look.
    pub fn tick(&mut self, now: Time) {
        self.settle(now);
        self.ledger.tick(now);
        self.rules.tick(now, &self.ledger, &mut self.findings);
        self.found += self.findings.len();
        self.findings.clear();
        if let Some(journal) = &mut self.journal {
            journal.tick(now);
        }
        self.now = now;
    }

    fn observe(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.note(&self.facts, &self.ledger);
        }
        for fact in self.facts.drain(..) {
            if !fact.is_for_journals() {
                self.rules.observe(&fact);
            }
        }
        // As in live tracing.
        self.facts.shrink_to(1024);
    }
}
