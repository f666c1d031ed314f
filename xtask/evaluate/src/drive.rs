//! Feeds a world through the books and the detectors of the tracer, as it would have met them live.

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
    disturbance::Faults,
    kernel::Kernel,
    random::Random,
    timeline::Timeline,
    world::{HOUR, MINUTE, World},
};

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
pub fn drive(world: &World, options: &Options, faults: &Faults) -> Vec<Testimony> {
    let mut drive = Drive::new(world, options, faults);
    let mut away = faults.away;
    let mut now = 0.0;
    loop {
        drive.happen_until(now);
        drive.look(now);
        if now >= world.horizon {
            return drive.finish();
        }
        // As live where it is told to the second.
        let is_early = now - drive.started < 2.0 * MINUTE || world.horizon <= 4.0 * HOUR;
        now += if is_early { 1.0 } else { options.tick };
        if let Some((_, woken)) = world.sleeps.iter().find(|(from, to)| (*from..*to).contains(&now)) {
            now = *woken;
        }
        if let Some((_, back)) = away.take_if(|(ends, _)| *ends <= now) {
            now = back.max(now);
            drive.restart(now);
        }
        now = now.min(world.horizon);
    }
}

/// A world on its way.
struct Drive<'a> {
    world: &'a World,
    options: &'a Options,
    faults: &'a Faults,
    /// What chance loses.
    chance: Random,
    /// When the tracer was started.
    started: f64,
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
    /// Whether anything was lost since.
    has_lost: bool,
    tidied: f64,
    /// When the exits of processes were last noted.
    reaped: f64,
}

impl<'a> Drive<'a> {
    fn new(world: &'a World, options: &'a Options, faults: &'a Faults) -> Self {
        Self {
            world,
            options,
            faults,
            chance: Random::new(world.family, world.seed),
            started: 0.0,
            timeline: Timeline::new(world),
            kernel: Kernel::new(world),
            ledger: Ledger::new(Limits::default()),
            detector: Rules::new(&options.parameters, Limits::default().groups),
            docket: Docket::default(),
            baselines: options.baselines.then(Baselines::default),
            compared: None,
            undecided: false,
            has_lost: false,
            tidied: 0.0,
            reaped: 0.0,
        }
    }

    /// The tracer was away until now, and begins anew.
    fn restart(&mut self, now: f64) {
        while let Some(happening) = self.timeline.next_until(now) {
            self.kernel.follow(&happening);
        }
        self.ledger = Ledger::new(Limits::default());
        self.detector = Rules::new(&self.options.parameters, Limits::default().groups);
        self.docket.restart(now);
        self.compared = None;
        (self.undecided, self.has_lost) = (false, false);
        (self.started, self.reaped) = (now, now);
    }

    /// All that happens up to a moment.
    fn happen_until(&mut self, now: f64) {
        let mut facts = Vec::new();
        while let Some(happening) = self.timeline.next_until(now) {
            self.kernel.follow(&happening);
            for event in self.kernel.events(&happening).into_iter().flatten() {
                if self.chance.chance(self.faults.loss) {
                    self.has_lost = true;
                    continue;
                }
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
        let is_early = now - self.started < 10.0 * MINUTE;
        // A loss, too, is made good at once for so long, and later a little slower than live.
        let every = if is_early || self.kernel.has_queue() || self.has_lost {
            30.0
        } else {
            self.options.reconcile
        };
        // Live it would be 5 s throughout; hours of suspicion would take too long here.
        let again = if is_early { 5.0 } else { 30.0 };
        now - compared >= every
            || self.undecided
            || (is_early && self.has_lost)
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
        self.has_lost = false;
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
