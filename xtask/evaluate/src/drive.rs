//! Feeds a world through the books and the detectors of the tracer, as it would have met them live.

mod kernel;
mod timeline;

use std::time::Duration;

use tracer::{
    leak::{Detector, Parameters, Rules, thresholds::Sensitivity},
    model::{
        ledger::{Ledger, Limits},
        time::Time,
    },
};

use crate::{
    accusation::{Accusation, Docket},
    baseline::Baselines,
    world::{MINUTE, World},
};
use kernel::Kernel;
use timeline::Timeline;

/// How a world is driven.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What the tracer's verdicts depend on.
    pub parameters: Parameters,
    /// Seconds between two ticks of the detectors.
    pub tick: f64,
    /// Seconds between two comparisons with the kernel's tables, after the first minutes. The tracer's own default of
    /// 30 s would make an evaluation take ten times as long and changes little where nothing is lost.
    pub reconcile: f64,
    /// Whether the baselines run, too.
    pub baselines: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parameters: Parameters::new(Sensitivity::Normal),
            tick: 5.0,
            reconcile: 5.0 * MINUTE,
            baselines: true,
        }
    }
}

/// What a detector said.
pub struct Testimony {
    /// The detector.
    pub detector: &'static str,
    /// Whom it accused.
    pub accusations: Vec<Accusation>,
}

/// Drives a world from the coming of the tracer to its end. The tracer is the first to testify.
pub fn drive(world: &World, options: &Options) -> Vec<Testimony> {
    let mut drive = Drive::new(world, options);
    let mut now = 0.0;
    loop {
        drive.happen_until(now);
        drive.look(now);
        if now >= world.horizon {
            return drive.finish();
        }
        // As live where it is told to the second.
        let step = if now < 2.0 * MINUTE { 1.0 } else { options.tick };
        now = (now + step).min(world.horizon);
        if let Some((_, woken)) = world.sleeps.iter().find(|(from, to)| (*from..*to).contains(&now)) {
            now = woken.min(world.horizon);
        }
    }
}

/// A world on its way.
struct Drive<'a> {
    world: &'a World,
    options: &'a Options,
    timeline: Timeline,
    kernel: Kernel<'a>,
    ledger: Ledger,
    detector: Rules,
    docket: Docket,
    baselines: Option<Baselines>,
    /// When the kernel's tables were last read.
    compared: Option<f64>,
    /// Whether the last reading left something open.
    undecided: bool,
    tidied: f64,
    /// When the exits of processes were last noted.
    reaped: f64,
}

impl<'a> Drive<'a> {
    fn new(world: &'a World, options: &'a Options) -> Self {
        Self {
            world,
            options,
            timeline: Timeline::new(world),
            kernel: Kernel::new(world),
            ledger: Ledger::new(Limits::default()),
            detector: Rules::new(&options.parameters, Limits::default().groups),
            docket: Docket::default(),
            baselines: options.baselines.then(Baselines::default),
            compared: None,
            undecided: false,
            tidied: 0.0,
            reaped: 0.0,
        }
    }

    /// All that happens up to a moment.
    fn happen_until(&mut self, now: f64) {
        let mut facts = Vec::new();
        while let Some(happening) = self.timeline.next_until(now) {
            self.kernel.follow(&happening);
            for event in self.kernel.events(&happening).into_iter().flatten() {
                self.ledger.apply(&event, &mut facts);
                for fact in facts.drain(..) {
                    self.detector.observe(&fact);
                }
            }
        }
    }

    /// A tick: the books are tidied and compared, the detectors look.
    fn look(&mut self, now: f64) {
        let at = self.world.time(now);
        if now - self.tidied >= MINUTE {
            self.ledger.tick(at);
            self.tidied = now;
        }
        self.note_exits(now);
        if self.is_comparison_due(now, at) {
            self.compare(now, at);
        }
        let mut findings = Vec::new();
        self.detector.tick(at, &self.ledger, &mut findings);
        for finding in &findings {
            self.docket.enter(now, finding);
        }
        if let Some(baselines) = &mut self.baselines {
            baselines.tick(now, &self.ledger);
        }
    }

    fn note_exits(&mut self, now: f64) {
        for (number, process) in self.world.processes.iter().enumerate() {
            if self.reaped < process.ends && process.ends <= now {
                self.ledger.note_exit(self.world.process_id(number));
            }
        }
        self.reaped = now;
    }

    /// As the runtime decides it, but for the regular ones.
    fn is_comparison_due(&self, now: f64, at: Time) -> bool {
        let Some(compared) = self.compared else {
            return true;
        };
        let is_early = now < 10.0 * MINUTE;
        let every = if is_early || self.kernel.has_queue() {
            30.0
        } else {
            self.options.reconcile
        };
        // Live it would be 5 s throughout; hours of suspicion would take too long here.
        let again = if is_early { 5.0 } else { 30.0 };
        now - compared >= every
            || self.undecided
            || self.ledger.has_outgrown_snapshot(at)
            || (now - compared >= again
                && (self.ledger.has_exhausted_server() || self.detector.is_suspicious(at, &self.ledger)))
    }

    fn compare(&mut self, now: f64, at: Time) {
        self.ledger.begin_snapshot();
        let snapshot = self.kernel.snapshot(now);
        let mut facts = Vec::new();
        // It takes a moment to read.
        let read = at + Duration::from_millis(5);
        let reconciled = self.ledger.reconcile(&snapshot, read, |_| true, &mut facts);
        for fact in facts.drain(..) {
            self.detector.observe(&fact);
        }
        self.undecided = reconciled.missing > 0;
        self.compared = Some(now);
    }

    fn finish(self) -> Vec<Testimony> {
        let mut testimonies = vec![Testimony {
            detector: "tracer",
            accusations: self.docket.close(),
        }];
        testimonies.extend(self.baselines.into_iter().flat_map(Baselines::finish));
        testimonies
    }
}
