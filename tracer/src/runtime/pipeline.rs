//! Records in, analysis out: decoding, snapshots, and the books of what was lost on the way.

use std::time::{Duration, SystemTime};

use log::debug;

use super::{accounts::Accounts, look::Look, simulation::SimulatedLoss, stacks::Stacks};
use crate::{
    analysis::{Analysis, Place, Processes},
    bpf::{environment, filter::Filter, session::Session},
    cli::settings::Settings,
    enrich,
    fallback::identity::KnownConnection,
    ingest::{
        decode::decode,
        intake::Intake,
        ring::Reader,
        stack::{decode_stack, is_stack},
    },
    model::{
        connection::ProcessId, event::EventKind, name::Comm, process::ProcessInfo, snapshot::Snapshot,
        time::Time,
    },
    output::{
        circumstances::Comparison,
        json::Wall,
        record::{Books, ProgramMisses, Started},
        text,
    },
    procfs::{self, stat::Ticks},
    record::{Recorder, Run},
    stdout::Stdout,
};

/// How often the kernel's tables are read while a queue may be filling, and how old a reading may be that a verdict
/// rests on.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Processes that are looked up in one second.
const STRANGERS: usize = 32;

/// Everything between the ring buffer and stdout.
pub struct Pipeline {
    analysis: Analysis,
    filter: Filter,
    /// Whether the snapshots know the starts of processes in clock ticks only: then the events must not know better, or
    /// one process would look like two.
    starts_in_ticks: bool,
    accounts: Accounts,
    known: enrich::facts::Facts,
    simulated_loss: SimulatedLoss,
    intake: Intake,
    /// What had been lost by the last tick.
    lost: u64,
    /// Whether the last reconciliation missed something.
    undecided: bool,
    attached: Time,
    place: Place,
    recorder: Option<Recorder>,
    /// The stacks that were told.
    stacks: Stacks,
    /// Whether it was recorded that the loss counters cannot be read.
    told_unreadable: bool,
}

impl Processes for enrich::facts::Facts {
    fn look_up(&mut self, process: ProcessId, comm: Comm) -> Option<&ProcessInfo> {
        Self::look_up(self, process, comm)
    }
}

impl Pipeline {
    /// Empty, attached at `attached`.
    pub fn new(
        settings: &Settings,
        wall: Wall,
        attached: Time,
        out: Stdout,
        recorder: Option<Recorder>,
    ) -> Self {
        let place = Place {
            netns: environment::own_netns(),
            ports: environment::ephemeral_ports(),
        };
        Self {
            analysis: Analysis::new(&settings.analysis, place.clone(), wall, attached, out),
            filter: settings.session.filter.clone(),
            starts_in_ticks: false,
            accounts: Accounts::new(attached),
            known: enrich::facts::Facts::new(settings.analysis.limits.groups),
            simulated_loss: SimulatedLoss::new(settings.simulate_loss),
            intake: if recorder.is_some() {
                Intake::one_by_one()
            } else {
                Intake::together()
            },
            lost: 0,
            undecided: false,
            attached,
            place,
            recorder,
            stacks: Stacks::new(settings.session.sizes.stacks),
            told_unreadable: false,
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
        self.starts_in_ticks = look.tells_starts_in_ticks();
        let backend = session.coverage().backend.name();
        let watched = text::started(&self.filter.to_string(), backend, session.untested(), &degraded);
        self.analysis.degraded.clone_from(&degraded);
        self.start_recording(backend, &degraded);
        let started = Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend: backend.to_owned(),
            degraded,
            verified: session.verified(),
        };
        self.analysis.started(&watched, started, now)
    }

    /// Takes in at most so many of the records that wait; says whether there may be more.
    pub fn drain(&mut self, reader: &mut Reader, limit: usize) -> bool {
        let more = reader.drain(limit, |record| self.take(record));
        self.settle();
        more
    }

    /// Takes in records that were handed over while there was no [reader](Self::drain).
    pub fn take_pending(&mut self, records: &[Vec<u8>]) {
        for record in records {
            self.take(record);
        }
        self.settle();
    }

    /// All that was [taken](Self::take) is in the books.
    fn settle(&mut self) {
        let Self { analysis, intake, .. } = self;
        analysis.change(|ledger, facts| intake.settle(ledger, facts));
    }

    fn take(&mut self, record: &[u8]) {
        self.accounts.received += 1;
        if self.simulated_loss.strikes() {
            self.accounts.simulated += 1;
            return;
        }
        if is_stack(record) {
            self.take_stack(record);
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
        let Self { analysis, intake, .. } = self;
        analysis.change(|ledger, facts| intake.take(&event, ledger, facts));
        if let Some(recorder) = &mut self.recorder
            && let Some((journal, _)) = self.analysis.journal()
        {
            recorder.relieve(journal, event.at);
        }
    }

    fn take_stack(&mut self, record: &[u8]) {
        match decode_stack(record) {
            Ok(stack) => self.stacks.take(stack),
            Err(error) => {
                self.accounts.rejected += 1;
                debug!("stack rejected: {error}");
            }
        }
    }

    /// To be called before a snapshot is read.
    pub fn begin_snapshot(&mut self) {
        self.analysis.change(|ledger, _| ledger.begin_snapshot());
    }

    /// To be called when it could not be read.
    pub fn abandon_snapshot(&mut self) {
        self.analysis.change(|ledger, _| ledger.abandon_snapshot());
    }

    /// Makes the ledger agree with a snapshot. Every record that was submitted before it was complete must have been
    /// [taken in](Self::take).
    pub fn reconcile(&mut self, snapshot: &Snapshot, now: Time) {
        let Self { analysis, filter, .. } = self;
        let reconciled = analysis
            .change(|ledger, facts| ledger.reconcile(snapshot, now, |opening| filter.admits(opening), facts));
        debug!("{reconciled:?}");
        if let Some((journal, ledger)) = analysis.journal() {
            journal.reconciled(snapshot, ledger, &reconciled, self.lost, now);
        }
        self.undecided = reconciled.missing > 0;
        self.analysis.compared = Some(Comparison {
            at: now,
            lost: self.lost,
            changed: reconciled,
        });
    }

    /// The connections that are in the books.
    pub fn connections(&self) -> impl Iterator<Item = KnownConnection> {
        let connections = self.analysis.ledger().connections();
        connections.filter_map(|(id, connection)| KnownConnection::new(id, &connection))
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
        let Some(Comparison { at, lost, .. }) = self.analysis.compared else {
            return false;
        };
        let ledger = self.analysis.ledger();
        let is_degraded = self.undecided || self.lost > lost || ledger.has_outgrown_snapshot(now);
        let is_worth_a_look = ledger.has_exhausted_server() || self.analysis.is_suspicious(now);
        is_degraded || (is_worth_a_look && now.since(at) >= LOOK_EVERY)
    }

    /// Looks after clocks and books: what was lost until now is known afterwards.
    pub fn tick(&mut self, session: &mut Session, now: Time) -> anyhow::Result<()> {
        self.analysis.out().check_reader()?;
        let was_set = self.analysis.wall.follow(now, SystemTime::now());
        let wall = self.analysis.wall;
        if let Some((journal, _)) = self.analysis.journal().filter(|_| was_set) {
            journal.clock(wall.system_time(now), now);
        }
        self.learn(now);
        self.stacks.tick(&mut self.analysis, session, now);
        let books = self.books(session);
        self.lost = books.lost();
        let since = self.accounts.told_at();
        for loss in self.accounts.news(&books, wall, now) {
            if let Some((journal, _)) = self.analysis.journal() {
                journal.lost(loss.cause.name(), loss.count, since, now);
            }
            self.analysis.lost(loss, now)?;
        }
        Ok(())
    }

    /// Lets the detector look, and tells what it found. What was lost should have been
    /// [made good](Self::needs_reconciling) before.
    pub fn detect(&mut self, session: &mut Session, now: Time) -> anyhow::Result<()> {
        for process in self.analysis.accused() {
            if procfs::process::has_exited(process) {
                if let Some((journal, ledger)) = self.analysis.journal() {
                    journal.exited(process, ledger, now);
                }
                self.analysis.change(|ledger, _| ledger.note_exit(process));
            }
        }
        self.analysis.tick(now);
        let has_news = self.analysis.detect(now);
        if !has_news && self.recorder.is_none() {
            return Ok(());
        }
        let books = self.books(session);
        self.save(&books, now);
        if !has_news {
            return Ok(());
        }
        self.analysis
            .tell(now, &books, self.accounts.unreadable(), &mut self.known)
    }

    /// Reads about processes before they are gone; a few at a time.
    fn learn(&mut self, now: Time) {
        let Self { analysis, known, .. } = self;
        let ledger = analysis.ledger();
        let strangers = ledger
            .processes()
            .iter()
            .filter(|(process, entry)| !entry.tally.is_idle() && !known.knows(**process))
            .map(|(process, _)| *process);
        let strangers: Vec<ProcessId> = strangers.take(STRANGERS).collect();
        for process in strangers {
            let comm = analysis.ledger().name(process);
            let info = known.look_up(process, comm);
            if let Some((journal, _)) = analysis.journal() {
                journal.describe(process, comm, info, now);
            }
        }
        let ledger = analysis.ledger();
        known.retain(|process| ledger.processes().get(&process).is_some());
    }

    /// Prints what is open.
    pub fn table(&mut self, session: &mut Session, now: Time) -> anyhow::Result<()> {
        let books = self.books(session);
        self.analysis.table(now, &books, &mut self.known)
    }

    /// Says what was seen in all.
    pub fn finish(&mut self, session: &mut Session, now: Time, reason: &str) -> anyhow::Result<()> {
        self.tick(session, now)?;
        self.detect(session, now)?;
        let books = self.books(session);
        let programs = session.misses().into_iter();
        let programs = programs
            .map(|misses| ProgramMisses {
                program: misses.program,
                runs: misses.runs,
                hits: misses.hits,
            })
            .collect();
        self.analysis
            .finish(now, reason, books, programs, &mut self.known)
    }

    fn start_recording(&mut self, backend: &str, degraded: &[String]) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        self.analysis.keep_journal();
        let wall = self.analysis.wall;
        if let Some((journal, ledger)) = self.analysis.journal() {
            let run = Run {
                began: self.attached,
                backend: backend.to_owned(),
                filters: self.filter.to_string(),
                degraded: degraded.to_vec(),
                netns: self.place.netns,
                ports: self.place.ports,
            };
            recorder.start(run, journal, ledger, wall);
        }
    }

    /// Records what happened until the rules looked, and what their findings are told with.
    fn save(&mut self, books: &Books, now: Time) {
        let found = self.analysis.found();
        let wall = self.analysis.wall;
        let (Some(recorder), Some((journal, ledger))) = (&mut self.recorder, self.analysis.journal()) else {
            return;
        };
        for (process, comm) in found {
            journal.describe(process, comm, self.known.look_up(process, comm), now);
        }
        if let Some(what) = self.accounts.unreadable().filter(|_| !self.told_unreadable) {
            journal.degraded(what, now);
            self.told_unreadable = true;
        }
        journal.counted(*books, now);
        journal.tick(now);
        recorder.save(journal, ledger, wall, now);
    }

    /// Looks up every stack that has something open, while its process lives, or until then.
    pub fn look_all_up(&mut self, session: &mut Session, until: Time) {
        self.stacks.look_all_up(&mut self.analysis, session, until);
    }

    /// What was seen.
    pub fn into_analysis(self) -> Analysis {
        self.analysis
    }

    /// What was counted, and lost.
    pub fn books(&mut self, session: &mut Session) -> Books {
        self.accounts
            .books(session, self.analysis.ledger().irregularities())
    }
}
