//! Records in, text out: decode, ledger, detector, rendering, and the books of what was lost on the way.

use std::{
    io::Write as _,
    time::{Duration, SystemTime},
};

use log::debug;

use super::{accounts::Accounts, look::Look, simulation::SimulatedLoss, telling::Telling};
use crate::{
    bpf::{environment, filter::Filter, session::Session},
    cli::{args::Output, settings::Settings},
    enrich,
    fallback::identity::KnownConnection,
    ingest::decode::decode,
    leak::{
        Detector, Rules,
        finding::{Finding, Stage},
    },
    model::{
        connection::ProcessId, event::EventKind, fact::Fact, ledger::Ledger, snapshot::Snapshot, time::Time,
        view,
    },
    output::{
        circumstances::{Comparison, Facts},
        json::{self, Wall},
        record::{Body, Books, ProgramMisses, Started, Summary, Totals},
        table, text,
    },
    procfs::stat::Ticks,
    stdout::Stdout,
};

/// How often the kernel's tables are read while a queue may be filling, and how old a reading may be that a verdict
/// rests on.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Processes that are looked up in one second.
const STRANGERS: usize = 32;

/// Everything between the ring buffer and stdout.
pub struct Pipeline {
    ledger: Ledger,
    detector: Box<dyn Detector>,
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    out: Stdout,
    output: Output,
    rows: usize,
    filter: Filter,
    wall: Wall,
    /// The tracer's own network namespace, if known.
    netns: Option<u32>,
    attached: Time,
    degraded: Vec<String>,
    /// Whether the snapshots know the starts of processes in clock ticks only: then the events must not know better, or
    /// one process would look like two.
    starts_in_ticks: bool,
    accounts: Accounts,
    known: enrich::facts::Facts,
    simulated_loss: SimulatedLoss,
    /// Number of ephemeral ports.
    ports: Option<u32>,
    alerts: u64,
    alerts_open: u64,
    /// What had been lost by the last tick.
    lost: u64,
    /// The last comparison with the kernel's tables.
    compared: Option<Comparison>,
    /// Whether the last reconciliation missed something.
    undecided: bool,
}

impl Pipeline {
    /// Empty, attached at `attached`.
    pub fn new(settings: &Settings, wall: Wall, attached: Time, out: Stdout) -> Self {
        Self {
            ledger: Ledger::new(settings.limits),
            detector: Box::new(Rules::new(&settings.detection, settings.limits.groups)),
            facts: Vec::new(),
            findings: Vec::new(),
            out,
            output: settings.output,
            rows: settings.rows,
            filter: settings.session.filter.clone(),
            wall,
            netns: environment::own_netns(),
            attached,
            degraded: Vec::new(),
            starts_in_ticks: false,
            accounts: Accounts::new(attached),
            known: enrich::facts::Facts::new(settings.limits.groups),
            simulated_loss: SimulatedLoss::new(settings.simulate_loss),
            ports: environment::ephemeral_ports(),
            alerts: 0,
            alerts_open: 0,
            lost: 0,
            compared: None,
            undecided: false,
        }
    }

    /// Says what is attached.
    pub fn started(
        &mut self,
        session: &Session,
        look: &Look,
        degraded: Vec<String>,
        now: Time,
    ) -> anyhow::Result<()> {
        self.degraded = degraded;
        self.starts_in_ticks = look.tells_starts_in_ticks();
        match self.output {
            Output::Text => {
                // Talk, not data: a pipe gets alerts only.
                let backend = session.coverage().backend.name();
                let first = text::started(
                    &self.filter.to_string(),
                    backend,
                    session.untested(),
                    &self.degraded,
                );
                talk(&first);
                Ok(())
            }
            Output::Json => self.emit(
                now,
                Body::Started(Started {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    backend: session.coverage().backend.name().to_owned(),
                    degraded: self.degraded.clone(),
                    verified: session.verified(),
                }),
            ),
        }
    }

    /// Takes in one record.
    pub fn take(&mut self, record: &[u8]) {
        self.accounts.received += 1;
        if self.simulated_loss.strikes() {
            self.accounts.simulated += 1;
            return;
        }
        let mut event = match decode(record) {
            Ok(event) => event,
            Err(error) => {
                self.accounts.rejected += 1;
                debug!("record rejected: {error}");
                return;
            }
        };
        if self.starts_in_ticks
            && let EventKind::Opened(opening) = &mut event.kind
        {
            opening.process.start = Ticks::of(opening.process.start).time();
        }
        self.ledger.apply(&event, &mut self.facts);
        for fact in self.facts.drain(..) {
            self.detector.observe(&fact);
        }
    }

    /// To be called before a snapshot is read.
    pub fn begin_snapshot(&mut self) {
        self.ledger.begin_snapshot();
    }

    /// To be called when it could not be read.
    pub fn abandon_snapshot(&mut self) {
        self.ledger.abandon_snapshot();
    }

    /// Makes the ledger agree with a snapshot. Every record that was submitted before it was complete must have been
    /// [taken in](Self::take).
    pub fn reconcile(&mut self, snapshot: &Snapshot, now: Time) {
        let Self {
            ledger,
            detector,
            facts,
            filter,
            ..
        } = self;
        let reconciled = ledger.reconcile(snapshot, now, |opening| filter.admits(opening), facts);
        for fact in facts.drain(..) {
            detector.observe(&fact);
        }
        debug!("{reconciled:?}");
        self.undecided = reconciled.missing > 0;
        self.compared = Some(Comparison {
            at: now,
            lost: self.lost,
            changed: reconciled,
        });
    }

    /// The connections that are in the books.
    pub fn connections(&self) -> impl Iterator<Item = KnownConnection> {
        let connections = self.ledger.connections();
        connections.filter_map(|(id, connection)| KnownConnection::new(id, connection))
    }

    /// Records that arrived.
    pub fn received(&self) -> u64 {
        self.accounts.received
    }

    /// Records that the kernel side has handed over.
    pub fn submitted(&mut self, session: &Session) -> u64 {
        self.accounts.submitted(session)
    }

    /// Whether records were handed over that have not arrived.
    pub fn awaits_records(&mut self, session: &Session) -> bool {
        self.submitted(session) > self.accounts.received
    }

    /// Whether the ledger should be compared with the kernel's tables without waiting for the next regular time.
    pub fn needs_reconciling(&self, now: Time) -> bool {
        let Some(Comparison { at, lost, .. }) = self.compared else {
            return false;
        };
        let is_degraded = self.undecided || self.lost > lost || self.ledger.has_outgrown_snapshot(now);
        let is_worth_a_look =
            self.ledger.has_exhausted_server() || self.detector.is_suspicious(now, &self.ledger);
        is_degraded || (is_worth_a_look && now.since(at) >= LOOK_EVERY)
    }

    /// Looks after clocks and books: what was lost until now is known afterwards.
    pub fn tick(&mut self, session: &mut Session, now: Time) -> anyhow::Result<()> {
        self.out.check_reader()?;
        self.wall.follow(now, SystemTime::now());
        self.ledger.tick(now);
        self.learn();
        let books = self.books(session);
        self.lost = books.lost();
        for loss in self.accounts.news(&books, self.wall, now) {
            if self.output == Output::Json {
                self.emit(now, Body::Loss(loss))?;
            }
        }
        Ok(())
    }

    /// Lets the detector look, and tells what it found. What was lost should have been
    /// [made good](Self::needs_reconciling) before.
    pub fn detect(&mut self, session: &mut Session, now: Time) -> anyhow::Result<()> {
        self.detector.tick(now, &self.ledger, &mut self.findings);
        if self.findings.is_empty() {
            return Ok(());
        }
        let books = self.books(session);
        let confidence = json::confidence(
            self.attached,
            &books,
            self.ledger.total().older,
            self.compared,
            &self.degraded(),
            self.wall,
        );
        for finding in std::mem::take(&mut self.findings) {
            match finding.stage {
                Stage::Opened => {
                    self.alerts += 1;
                    self.alerts_open += 1;
                }
                Stage::Updated => {}
                Stage::Resolved(_) => self.alerts_open -= 1,
            }
            let info = self.known.look_up(finding.process, finding.comm).cloned();
            let telling = Telling {
                ledger: &self.ledger,
                confidence: &confidence,
                ports: self.ports,
                own_netns: self.netns,
                wall: self.wall,
                now,
            };
            let circumstances = telling.circumstances(&finding, info.as_ref());
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

    /// Reads about processes before they are gone; a few at a time.
    fn learn(&mut self) {
        let Self { ledger, known, .. } = self;
        let strangers = ledger
            .processes()
            .iter()
            .filter(|(process, entry)| !entry.tally.is_idle() && !known.knows(**process))
            .map(|(process, _)| *process);
        let strangers: Vec<ProcessId> = strangers.take(STRANGERS).collect();
        for process in strangers {
            known.look_up(process, ledger.name(process));
        }
        known.retain(|process| ledger.processes().get(&process).is_some());
    }

    /// Prints what is open.
    pub fn table(&mut self, session: &mut Session, now: Time) -> anyhow::Result<()> {
        let processes = view::per_process(&self.ledger, now, self.rows);
        let peers = view::per_peer(&self.ledger, now, self.rows);
        match self.output {
            Output::Json => {
                let facts: Facts = processes
                    .0
                    .iter()
                    .filter_map(|row| {
                        let info = self.known.look_up(row.key.id, row.key.comm)?;
                        Some((row.key.id, info.clone()))
                    })
                    .collect();
                let table = json::table(&processes, &peers, self.totals(), self.ports, &facts);
                self.emit(now, Body::Table(table))
            }
            Output::Text => {
                let notes = text::losses(&self.books(session));
                let clock = self.wall.clock(now);
                let total = self.ledger.total();
                let rendered = table::render(&clock, &processes, &peers, total, self.ports, &notes);
                self.out.write(&rendered)
            }
        }
    }

    /// Says what was seen in all.
    pub fn finish(&mut self, session: &mut Session, now: Time, reason: &str) -> anyhow::Result<()> {
        self.tick(session, now)?;
        self.detect(session, now)?;
        let books = self.books(session);
        let watched = now.since(self.attached);
        match self.output {
            Output::Text => {
                let alerts = (self.alerts, self.alerts_open);
                let summary = text::summary(reason, watched.as_secs(), self.ledger.total(), alerts, &books);
                talk(&summary);
                Ok(())
            }
            Output::Json => {
                self.table(session, now)?;
                let failures = self.ledger.failures().iter();
                let failures = json::failures(failures.map(|(&errno, &count)| (errno, count)));
                let total = self.totals();
                let programs = session.misses().into_iter();
                let programs = programs
                    .map(|misses| ProgramMisses {
                        program: misses.program,
                        runs: misses.runs,
                        hits: misses.hits,
                    })
                    .collect();
                self.emit(
                    now,
                    Body::Summary(Summary {
                        reason: reason.to_owned(),
                        seconds: watched.as_secs_f64(),
                        total,
                        alerts: self.alerts,
                        alerts_unresolved: self.alerts_open,
                        failures,
                        programs,
                        books,
                    }),
                )
            }
        }
    }

    fn emit(&mut self, now: Time, body: Body) -> anyhow::Result<()> {
        self.out.write(&json::line(self.wall, now, body))
    }

    /// What the hooks and the books do not see.
    fn degraded(&self) -> Vec<String> {
        let unreadable = self.accounts.unreadable().map(str::to_owned);
        self.degraded.iter().cloned().chain(unreadable).collect()
    }

    fn totals(&self) -> Totals {
        json::totals(self.ledger.total(), view::phases(&self.ledger))
    }

    fn books(&mut self, session: &mut Session) -> Books {
        self.accounts.books(session, self.ledger.irregularities())
    }
}

/// Says something on stderr. Nobody may be listening, or the disk behind it may be full: that is no reason to stop.
fn talk(text: &str) {
    let _: std::io::Result<()> = anstream::stderr().write_all(text.as_bytes());
}
