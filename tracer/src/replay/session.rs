//! The replay of one run of a tracer: from a header to the next one of another run, or to the end.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;

use super::{losses::Losses, pace::Pace, source::wall_of};
use crate::{
    analysis::{Analysis, Place, Processes},
    bpf::filter::Filter,
    cli::{
        args::{Output, Replay, ReplayOutput, Until},
        settings::AnalysisSettings,
    },
    model::{
        connection::ProcessId, ledger::Limits, name::Comm, process::ProcessInfo, snapshot::Reconciled,
        time::Time,
    },
    output::{
        circumstances::Comparison,
        export::Export,
        folded,
        json::Wall,
        record::{Loss, Started},
        sanitize,
    },
    recording::{
        line::{Header, Line},
        player::{Player, Told},
        schedule::{Schedule, Step},
    },
    stdout::Stdout,
};

/// What was asked for.
pub struct Settings {
    analysis: AnalysisSettings,
    filter: Filter,
    interval: Option<Duration>,
    speed: Option<f64>,
    until: Option<Until>,
    /// What is printed at the end, and nothing else.
    pub export: Option<Export>,
}

impl Settings {
    /// From the command line; and the files.
    ///
    /// # Errors
    /// When a number does not fit this machine.
    pub fn of(options: Replay) -> anyhow::Result<(Vec<PathBuf>, Self)> {
        let size = |number: u64| usize::try_from(number).context("a count does not fit this machine");
        let filter = options.filters.into_filter();
        let (output, export) = match options.output {
            ReplayOutput::Text => (Output::Text, None),
            ReplayOutput::Json => (Output::Json, None),
            ReplayOutput::Folded => (Output::Text, Some(Export::Folded)),
            #[cfg(feature = "flamegraph")]
            ReplayOutput::Flamegraph => (Output::Text, Some(Export::Flamegraph)),
        };
        let analysis = AnalysisSettings {
            limits: Limits {
                connections: size(options.max_connections)?,
                groups: size(options.max_groups)?,
                ..Limits::default()
            },
            rules: options.detection.into_rules(&filter)?,
            output,
            rows: size(options.rows)?,
            silent: export.is_some(),
            full_stacks: options.full_stacks,
        };
        let settings = Self {
            analysis,
            filter,
            interval: options.interval,
            speed: options.speed,
            until: options.until,
            export,
        };
        Ok((options.paths, settings))
    }
}

/// Why a replay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There are no more lines.
    AtEnd,
    /// `--until` is reached.
    Until,
    /// A signal.
    Interrupted,
    /// The rest cannot be read.
    Unreadable,
    /// Another run begins.
    Restarted,
}

impl Ended {
    const fn reason(self) -> &'static str {
        match self {
            Self::AtEnd => "end of the recording",
            Self::Until => "stopped as asked",
            Self::Interrupted => "interrupted",
            Self::Unreadable => "the rest of the recording cannot be read",
            Self::Restarted => "the recorded tracer ended",
        }
    }
}

/// A run of a tracer, as its recording tells it.
pub struct Session {
    analysis: Analysis,
    player: Player,
    schedule: Schedule,
    /// Which run of a tracer it is, if the recording tells.
    run: Option<u64>,
    /// Lines take effect as they come, and the rules look when these say so.
    is_ordered: bool,
    filter: Filter,
    losses: Losses,
    until: Option<Time>,
    pace: Option<Pace>,
    interval: Option<Duration>,
    /// When the next table is due.
    next_table: Time,
}

impl Processes for Player {
    fn look_up(&mut self, process: ProcessId, _comm: Comm) -> Option<&ProcessInfo> {
        self.process(process)
    }
}

impl Session {
    /// Goes on after a header: with the run before, if it is a part of that one.
    ///
    /// # Errors
    /// When the header makes no sense, or stdout cannot be written.
    pub fn follow(
        before: Option<Self>,
        header: &Header,
        settings: &Settings,
        file: &str,
    ) -> anyhow::Result<Self> {
        let out = match before {
            Some(before) if before.is_followed_by(header) => return Ok(before.go_on(header)),
            Some(before) => before.end(Ended::Restarted)?.0,
            None => Stdout::new()?,
        };
        let recorded = wall_of(&header.wall).with_context(|| format!("{file} cannot be replayed"))?;
        let (begin, wall) = (header.ts, Wall::new(header.ts, recorded));
        let until = settings.until.map(|until| match until {
            Until::Moment(moment) => wall.moment(moment),
            Until::Span(span) => begin + span,
        });
        let place = Place {
            netns: header.tracer.netns,
            ports: header.tracer.ports,
        };
        let mut session = Self {
            run: header.tracer.run,
            is_ordered: header.tracer.ordered,
            analysis: Analysis::new(&settings.analysis, place, wall, begin, out),
            player: Player::new(),
            schedule: Schedule::new(begin),
            filter: settings.filter.clone(),
            losses: Losses::default(),
            until,
            pace: settings.speed.map(|speed| Pace::new(speed, begin)),
            interval: settings.interval,
            next_table: begin + settings.interval.unwrap_or_default(),
        };
        session.introduce(header, file)?;
        Ok(session)
    }

    /// Whether a header begins another file of this run.
    fn is_followed_by(&self, header: &Header) -> bool {
        match (self.run, header.tracer.run) {
            (Some(this), Some(other)) => this == other,
            _ => self.schedule.newest() <= header.ts,
        }
    }

    fn go_on(mut self, header: &Header) -> Self {
        if header.tracer.run.is_some() {
            self.player.go_on();
        }
        self
    }

    fn introduce(&mut self, header: &Header, file: &str) -> anyhow::Result<()> {
        let printable = |text: &String| sanitize::printable(text.as_bytes());
        let host = header
            .host
            .as_ref()
            .map(|host| format!(" on {}", printable(host)));
        let begin = self.analysis.wall.rfc3339(header.ts);
        let watched = format!(
            "replaying {file}: {}, recorded{} from {begin}\n",
            self.filter,
            host.unwrap_or_default()
        );
        for what in &header.tracer.degraded {
            self.degrade(what);
        }
        let started = Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend: header.backend.clone().unwrap_or_else(|| "recording".to_owned()),
            degraded: self.analysis.degraded.clone(),
            verified: None,
        };
        self.analysis.started(&watched, started, header.ts)
    }

    /// Notes what the tracer did not see.
    fn degrade(&mut self, what: &str) {
        /// A tracer says a few such things.
        const MOST: usize = 16;
        if self.analysis.degraded.len() < MOST {
            let what = sanitize::printable(what.as_bytes());
            self.analysis.degraded.push(what);
        }
    }

    /// Takes in the next line; says whether the replay is over.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn take(&mut self, line: Line) -> anyhow::Result<Option<Ended>> {
        self.losses.read();
        if self.is_ordered {
            self.schedule.note(line.ts());
            return match line {
                Line::Tick(tick) => self.step(Step::Tick(tick.ts)),
                line => self.step(Step::Line(line)),
            };
        }
        self.schedule.push(line);
        while let Some(step) = self.schedule.pop() {
            if let Some(ended) = self.step(step)? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// A line could not be used.
    pub fn reject(&mut self) {
        self.losses.reject();
    }

    /// Whether a signal says so.
    ///
    /// # Errors
    /// When nobody reads stdout any more.
    pub fn is_stopped(&self) -> anyhow::Result<bool> {
        self.analysis.out().check_reader()?;
        Ok(self.analysis.out().is_stopped())
    }

    /// Says what was seen in all.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn finish(self, ended: Ended, export: Option<Export>) -> anyhow::Result<()> {
        let (mut out, stacks) = self.end(ended)?;
        match export {
            None => Ok(()),
            Some(export) => out.write(&export.render(&stacks)?),
        }
    }

    fn end(mut self, mut ended: Ended) -> anyhow::Result<(Stdout, Vec<(String, u32)>)> {
        if !matches!(ended, Ended::Until | Ended::Interrupted) {
            while let Some(step) = self.schedule.drain() {
                if let Some(earlier) = self.step(step)? {
                    ended = earlier;
                    break;
                }
            }
        }
        let now = match (ended, self.until) {
            (Ended::Until, Some(until)) => until,
            _ => self.schedule.newest(),
        };
        if ended != Ended::Interrupted && !self.is_ordered {
            while self.schedule.next_tick() < now {
                let tick = self.schedule.next_tick();
                self.tick(tick)?;
                self.schedule.skip_past(tick);
            }
            self.tick(now)?;
        }
        let books = self.losses.books(self.analysis.ledger().irregularities());
        self.analysis
            .finish(now, ended.reason(), books, Vec::new(), &mut self.player)?;
        let stacks = folded::stacks(self.analysis.ledger());
        Ok((self.analysis.into_out(), stacks))
    }

    fn step(&mut self, step: Step) -> anyhow::Result<Option<Ended>> {
        let at = match &step {
            Step::Line(line) => line.ts(),
            Step::Tick(at) => *at,
        };
        if self.until.is_some_and(|until| at > until) {
            return Ok(Some(Ended::Until));
        }
        match step {
            Step::Line(line) => self.play(line)?,
            Step::Tick(at) => {
                self.tick(at)?;
                if self.analysis.out().is_stopped() {
                    return Ok(Some(Ended::Interrupted));
                }
            }
        }
        Ok(None)
    }

    fn play(&mut self, line: Line) -> anyhow::Result<()> {
        let Self {
            analysis,
            player,
            filter,
            ..
        } = self;
        let told = analysis
            .change(|ledger, facts| player.play(line, ledger, facts, |opening| filter.admits(opening)));
        match told {
            Told::Nothing => {}
            Told::Books(line) => self.losses.tell(&line),
            Told::Clock(line) => self.analysis.wall = Wall::new(line.ts, line.wall),
            Told::Degraded(line) => self.degrade(&line.what),
            Told::Loss(loss) => {
                let cause = self.losses.lose(&loss);
                let told = Loss {
                    cause,
                    count: loss.count,
                    since: self.analysis.wall.rfc3339(loss.since),
                };
                self.analysis.lost(told, loss.ts)?;
            }
            Told::Reconciled(line) => {
                let books = self.losses.books(self.analysis.ledger().irregularities());
                self.analysis.compared = Some(Comparison {
                    at: line.ts,
                    lost: line.lost.unwrap_or_else(|| books.lost()),
                    changed: Reconciled {
                        confirmed: line.open,
                        added: line.added.unwrap_or(0),
                        ended: line.ended.unwrap_or(0),
                        moved: line.moved.unwrap_or(0),
                        ..Reconciled::default()
                    },
                });
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Time) -> anyhow::Result<()> {
        if let Some(pace) = &self.pace {
            pace.wait(now, || self.analysis.out().is_stopped());
        }
        let Self { analysis, player, .. } = self;
        analysis.change(|ledger, facts| player.settle(now, ledger, facts));
        analysis.tick(now);
        if analysis.detect(now) {
            let books = self.losses.books(analysis.ledger().irregularities());
            analysis.tell(now, &books, None, player)?;
        }
        if let Some(interval) = self.interval
            && now >= self.next_table
        {
            let books = self.losses.books(analysis.ledger().irregularities());
            analysis.table(now, &books, player)?;
            self.next_table = next_table(self.next_table, interval, now);
        }
        Ok(())
    }
}

/// The first table after `now`, in steps of `interval` from one that is due.
fn next_table(due: Time, interval: Duration, now: Time) -> Time {
    let step = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
    let passed = now.0.saturating_sub(due.0) / step;
    Time(
        due.0
            .saturating_add(step.saturating_mul(passed.saturating_add(1))),
    )
}
