//! Books and rules, as live tracing and a replay put them together.

use tracer::{
    ingest::decode::decode,
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

/// Everything between a record and a finding.
pub struct Engine {
    /// The books.
    pub ledger: Ledger,
    rules: Rules,
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    /// Findings so far.
    pub found: usize,
    now: Time,
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
            facts: Vec::new(),
            findings: Vec::new(),
            found: 0,
            now: Time(0),
            journal: None,
        }
    }

    /// Keeps a journal from now on.
    pub fn keep_journal(&mut self) {
        self.ledger.keep_journal();
        self.journal = Some(Journal::new());
    }

    /// Takes in a record; the rules look at each whole second on the way.
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
        self.now = event.at;
        self.ledger.apply(&event, &mut self.facts);
        self.observe();
    }

    /// Takes in a snapshot.
    pub fn reconcile(&mut self, snapshot: &Snapshot, now: Time) {
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

    /// Lets the rules look.
    pub fn tick(&mut self, now: Time) {
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
    }
}
