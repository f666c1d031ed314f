//! The ledger, the rules and what is told of both: the part that live tracing and replay share.

mod telling;

use std::io::Write as _;

use crate::{
    cli::{args::Output, settings::AnalysisSettings},
    leak::{
        Detector, Rules,
        finding::{Finding, Stage},
    },
    model::{
        connection::ProcessId, fact::Fact, ledger::Ledger, name::Comm, process::ProcessInfo, time::Time, view,
    },
    output::{
        circumstances::{Comparison, Facts},
        json::{self, Wall},
        record::{Body, Books, Loss, ProgramMisses, Started, Summary, Totals},
        table, text,
    },
    recording::journal::Journal,
    stdout::Stdout,
};
use telling::Telling;

/// Facts for which memory is kept.
const FACTS: usize = 1024;

/// Where more than the name of a process comes from: `/proc`, or a recording.
pub trait Processes {
    /// What is known of a process that has this name now.
    fn look_up(&mut self, process: ProcessId, comm: Comm) -> Option<&ProcessInfo>;
}

/// The machine, as far as output depends on it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The network namespace in which suggested commands will be run.
    pub netns: Option<u32>,
    /// Number of ephemeral ports.
    pub ports: Option<u32>,
}

/// Everything between a change of the books and stdout.
pub struct Analysis {
    ledger: Ledger,
    detector: Box<dyn Detector>,
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    out: Stdout,
    output: Output,
    rows: usize,
    full_stacks: bool,
    silent: bool,
    place: Place,
    /// How moments become wall-clock times.
    pub wall: Wall,
    /// Since when there is anything to tell.
    since: Time,
    /// What is not seen, or seen late.
    pub degraded: Vec<String>,
    /// The last comparison with the kernel's tables.
    pub compared: Option<Comparison>,
    alerts: u64,
    alerts_open: u64,
    /// What changes, if it is recorded.
    journal: Option<Journal>,
}

impl Analysis {
    /// Empty books, begun at `since`.
    pub fn new(settings: &AnalysisSettings, place: Place, wall: Wall, since: Time, out: Stdout) -> Self {
        Self {
            ledger: Ledger::new(settings.limits),
            detector: Box::new(Rules::new(&settings.rules, settings.limits.groups)),
            facts: Vec::new(),
            findings: Vec::new(),
            out,
            output: settings.output,
            rows: settings.rows,
            full_stacks: settings.full_stacks,
            silent: settings.silent,
            place,
            wall,
            since,
            degraded: Vec::new(),
            compared: None,
            alerts: 0,
            alerts_open: 0,
            journal: None,
        }
    }

    /// Keeps a journal from now on.
    pub fn keep_journal(&mut self) {
        self.ledger.keep_journal();
        self.journal = Some(Journal::new());
    }

    /// The journal, and the books that it is about.
    pub fn journal(&mut self) -> Option<(&mut Journal, &Ledger)> {
        Some((self.journal.as_mut()?, &self.ledger))
    }

    /// The processes that the next findings to be told are about.
    pub fn found(&self) -> Vec<(ProcessId, Comm)> {
        let findings = self.findings.iter();
        findings.map(|finding| (finding.process, finding.comm)).collect()
    }

    /// The books.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stdout, to ask whether anybody reads it.
    pub fn out(&self) -> &Stdout {
        &self.out
    }

    /// Stdout, for whoever comes next.
    pub fn into_out(self) -> Stdout {
        self.out
    }

    /// The processes that findings which are not resolved are about.
    pub fn accused(&self) -> Vec<ProcessId> {
        let mut processes = Vec::new();
        self.detector.accused(&mut processes);
        processes
    }

    /// Whether a fresh look at the kernel's tables could change a verdict.
    pub fn is_suspicious(&self, now: Time) -> bool {
        self.detector.is_suspicious(now, &self.ledger)
    }

    /// Changes the books, and lets the rules know.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Ledger, &mut Vec<Fact>) -> T) -> T {
        let result = change(&mut self.ledger, &mut self.facts);
        if let Some(journal) = &mut self.journal {
            journal.note(&self.facts, &self.ledger);
        }
        for fact in self.facts.drain(..) {
            if !fact.is_for_journals() {
                self.detector.observe(&fact);
            }
        }
        // A snapshot brings one for each connection, and no event many.
        self.facts.shrink_to(FACTS);
        result
    }

    /// Says what is watched, and how. `watched` is for people, who get it on stderr: a pipe gets findings only.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn started(&mut self, watched: &str, started: Started, now: Time) -> anyhow::Result<()> {
        match self.output {
            Output::Text => {
                talk(watched);
                Ok(())
            }
            Output::Json => self.emit(now, Body::Started(started)),
        }
    }

    /// Tells of events that were lost, where programs listen; people see it in the table and with each finding.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn lost(&mut self, loss: Loss, now: Time) -> anyhow::Result<()> {
        match self.output {
            Output::Text => Ok(()),
            Output::Json => self.emit(now, Body::Loss(loss)),
        }
    }

    /// Forgets what time has made worthless. To be called about once a second.
    pub fn tick(&mut self, now: Time) {
        self.ledger.tick(now);
    }

    /// Lets the rules look; whether they found something that must be [told](Self::tell).
    pub fn detect(&mut self, now: Time) -> bool {
        self.detector.tick(now, &self.ledger, &mut self.findings);
        !self.findings.is_empty()
    }

    /// Tells what was found. `unreadable` says why the books may be incomplete.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn tell(
        &mut self,
        now: Time,
        books: &Books,
        unreadable: Option<&str>,
        known: &mut dyn Processes,
    ) -> anyhow::Result<()> {
        if self.silent {
            self.findings.clear();
            return Ok(());
        }
        let degraded: Vec<String> = self
            .degraded
            .iter()
            .cloned()
            .chain(unreadable.map(str::to_owned))
            .collect();
        let confidence = json::confidence(
            self.since,
            books,
            self.ledger.total().older,
            self.compared,
            &degraded,
            self.wall,
        );
        for mut finding in std::mem::take(&mut self.findings) {
            // A recording need not tell.
            finding.netns = finding.netns.filter(|netns| *netns != 0);
            match finding.stage {
                Stage::Opened => {
                    self.alerts += 1;
                    self.alerts_open += 1;
                }
                Stage::Updated => {}
                Stage::Resolved(_) => self.alerts_open -= 1,
            }
            let info = known.look_up(finding.process, finding.comm);
            let telling = Telling {
                ledger: &self.ledger,
                confidence: &confidence,
                ports: self.place.ports,
                full_stacks: self.full_stacks,
                own_netns: self.place.netns,
                wall: self.wall,
                now,
            };
            let circumstances = telling.circumstances(&finding, info);
            match self.output {
                Output::Text => {
                    let told = text::finding(&finding, &circumstances);
                    self.out.write(&told)?;
                }
                Output::Json => {
                    let told = json::finding(&finding, &circumstances);
                    self.emit(now, told)?;
                }
            }
        }
        Ok(())
    }

    /// Prints what is open.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn table(&mut self, now: Time, books: &Books, known: &mut dyn Processes) -> anyhow::Result<()> {
        if self.silent {
            return Ok(());
        }
        let processes = view::per_process(&self.ledger, now, self.rows);
        let peers = view::per_peer(&self.ledger, now, self.rows);
        match self.output {
            Output::Json => {
                let facts: Facts = processes
                    .0
                    .iter()
                    .filter_map(|row| {
                        let info = known.look_up(row.key.id, row.key.comm)?;
                        Some((row.key.id, info.clone()))
                    })
                    .collect();
                let table = json::table(&processes, &peers, self.totals(), self.place.ports, &facts);
                self.emit(now, Body::Table(table))
            }
            Output::Text => {
                let notes = text::losses(books);
                let clock = self.wall.clock(now);
                let total = self.ledger.total();
                let rendered = table::render(&clock, &processes, &peers, total, self.place.ports, &notes);
                self.out.write(&rendered)
            }
        }
    }

    /// Says what was seen in all.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn finish(
        &mut self,
        now: Time,
        reason: &str,
        books: Books,
        programs: Vec<ProgramMisses>,
        known: &mut dyn Processes,
    ) -> anyhow::Result<()> {
        let watched = now.since(self.since);
        match self.output {
            Output::Text => {
                let alerts = (self.alerts, self.alerts_open);
                let summary = text::summary(reason, watched.as_secs(), self.ledger.total(), alerts, &books);
                talk(&summary);
                Ok(())
            }
            Output::Json => {
                self.table(now, &books, known)?;
                let failures = self.ledger.failures().iter();
                let failures = json::failures(failures.map(|(&errno, &count)| (errno, count)));
                let summary = Summary {
                    reason: reason.to_owned(),
                    seconds: watched.as_secs_f64(),
                    total: self.totals(),
                    alerts: self.alerts,
                    alerts_unresolved: self.alerts_open,
                    failures,
                    programs,
                    books,
                };
                self.emit(now, Body::Summary(summary))
            }
        }
    }

    fn emit(&mut self, now: Time, body: Body) -> anyhow::Result<()> {
        self.out.write(&json::line(self.wall, now, body))
    }

    fn totals(&self) -> Totals {
        json::totals(self.ledger.total(), view::phases(&self.ledger))
    }
}

/// Says something on stderr. Nobody may be listening, or the disk behind it may be full: that is no reason to stop.
pub fn talk(text: &str) {
    let _: std::io::Result<()> = anstream::stderr().write_all(text.as_bytes());
}
