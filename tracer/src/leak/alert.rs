//! The life of a finding: opened, updated on real news, resolved.

use std::time::Duration;

use super::{
    describe::{self, Sight},
    evidence::{Basis, Interval, Severity, Tier},
    finding::Resolution,
    rings::{self, Picture, Step},
    watch::{Population, Watch},
};
use crate::model::time::Time;

/// Of the peak, so much must have closed to call it drained.
const DRAINED: u32 = 2;
/// Of what becomes old, so much must close again to call it balanced.
const BALANCED: f64 = 0.5;
/// It must not have grown for that many periods, and that long, to call it a plateau.
const PLATEAU_PERIODS: u32 = 24;
const PLATEAU: Duration = Duration::from_hours(24);
/// Periods after which a balance counts.
const SETTLED_PERIODS: u32 = 8;
/// Growth that counts: 2 %.
const GROWTH: f64 = 1.02;

/// A finding that is not resolved.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its number.
    pub number: u64,
    /// When it was opened.
    pub opened_at: Time,
    /// Of which connections.
    pub population: Population,
    /// What it rests on.
    pub basis: Basis,
    /// The surest it has been.
    pub tier: Tier,
    /// The worst it has been told.
    pub severity: Severity,
    /// The scale that found it, and others that agreed: one bit each.
    pub scales: u16,
    /// The last picture of the scale that found it.
    pub picture: Option<Picture>,
    /// The scale.
    pub scale: Option<usize>,
    /// Begin of the window in which it was found.
    pub began: Time,
    /// Begin of the window.
    pub since: Time,
    /// Openings and closes in the window, where no picture counts them.
    pub counts: (u64, u64),
    /// Growth per second, where no picture gives it.
    pub per_second: Option<f64>,
    /// The most there were.
    pub peak: u32,
    /// How many there were when it was last told.
    pub told: u32,
    /// Openings and closes when it was opened.
    at_opening: (u64, u64),
    /// Openings, closes, and closes of useless connections when the peak was.
    pub at_peak: (u64, u64, u64),
    /// When it was last looked at for news.
    pub looked_at: Time,
    /// The most that were old, and when that grew.
    old_peak: (f64, Time),
    /// Processes one after the other.
    pub lives: u32,
}

/// Where a verdict comes from.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// Of which connections.
    pub population: Population,
    /// What it rests on.
    pub basis: Basis,
    /// Scale and picture, if it is one of these.
    pub picture: Option<(usize, Picture)>,
    /// Begin of the window.
    pub since: Time,
    /// Openings and closes in the window, where no picture counts them.
    pub counts: (u64, u64),
    /// Growth per second, where no picture gives it.
    pub per_second: Option<f64>,
}

impl Alert {
    /// Opens one.
    pub fn new((number, lives): (u64, u32), ground: Ground, watch: &Watch, now: Time) -> Self {
        let open = watch.total(ground.population);
        let scale = ground.picture.map(|(scale, _)| scale);
        Self {
            number,
            opened_at: now,
            population: ground.population,
            basis: ground.basis,
            tier: Tier::Suspected,
            severity: Severity::Warning,
            scales: scale.map_or(0, |scale| 1 << scale),
            picture: ground.picture.map(|(_, picture)| picture),
            scale,
            began: ground.since,
            since: ground.since,
            counts: ground.counts,
            per_second: ground.per_second,
            peak: open,
            told: open,
            at_opening: (watch.opened, watch.closed),
            at_peak: (watch.opened, watch.closed, watch.closed_gone),
            looked_at: now,
            old_peak: (0.0, now),
            lives,
        }
    }

    /// Length of a period; zero if it knows none.
    pub fn period(&self) -> Duration {
        self.scale.map_or(Duration::ZERO, rings::period)
    }

    /// Whether more than one look says so: two scales, or a basis that implies it. A saw does not: jobs that wait for each
    /// other, and are all let go at once, make one, too.
    pub fn was_seen_twice(&self) -> bool {
        self.scales.count_ones() >= 2 || self.basis == Basis::Restarts
    }

    /// Growth per hour.
    pub fn per_hour(&self) -> Option<Interval> {
        if let (Some(picture), Some(_)) = (self.picture, self.scale) {
            return describe::rate(&picture, self.period());
        }
        self.per_second.map(|rate| Interval {
            low: rate * 3600.0 * 0.8,
            mid: rate * 3600.0,
            high: rate * 3600.0 * 1.25,
        })
    }

    /// What there is to say about it.
    pub fn sight(&self, watch: &Watch) -> Sight {
        let counts = if self.picture.is_some() {
            (watch.opened, watch.closed, watch.since)
        } else {
            let (opened, closed) = self.at_opening;
            (
                self.counts.0 + watch.opened.saturating_sub(opened),
                self.counts.1 + watch.closed.saturating_sub(closed),
                self.since,
            )
        };
        Sight {
            key: watch.key,
            population: self.population,
            basis: self.basis,
            picture: self.picture.map(|picture| (self.period(), picture)),
            began: self.began,
            since: self.since,
            counts,
            per_hour: self.per_hour(),
            cadence: watch.beat.cadence(),
            closed_ever: watch.closed,
            known_since: watch.since,
            open: (watch.total(self.population), self.peak),
            seen_twice: self.was_seen_twice(),
            tier: self.tier,
            lives: self.lives,
        }
    }

    /// Follows it; says how it ended, if it did.
    pub fn follow(&mut self, watch: &Watch) -> Option<Resolution> {
        let open = watch.total(self.population);
        if open > self.peak {
            self.peak = open;
            self.at_peak = (watch.opened, watch.closed, watch.closed_gone);
        }
        let is_drained = match self.basis {
            // The others come and go.
            Basis::Dormant => watch.dormant.as_ref().is_none_or(|dormant| dormant.is_drained),
            _ => open <= self.peak / DRAINED,
        };
        if !is_drained {
            return None;
        }
        let (_, closed, closed_gone) = self.at_peak;
        let (closed, gone) = (watch.closed - closed, watch.closed_gone - closed_gone);
        Some(
            if self.population == Population::All && closed > 0 && gone * 2 >= closed {
                Resolution::ClosedByPeer
            } else {
                Resolution::Drained
            },
        )
    }

    /// Takes in a picture of any scale; says how it ended, if it did.
    pub fn look(&mut self, watch: &Watch, scale: usize, at: Step, picture: &Picture) -> Option<Resolution> {
        if self.scale != Some(scale) {
            return None;
        }
        self.picture = Some(*picture);
        let now = at.begin(watch.phase);
        self.since = now.earlier(rings::period(scale) * describe::WINDOW);
        let old = f64::from(watch.total(self.population).saturating_sub(picture.young));
        if old > self.old_peak.0.mul_add(GROWTH, 0.5) {
            self.old_peak = (old, now);
        }
        let period = rings::period(scale);
        if now.since(self.opened_at) < period * SETTLED_PERIODS {
            return None;
        }
        if picture.matured > 0 && f64::from(picture.left) >= BALANCED * f64::from(picture.matured) {
            return Some(Resolution::Balanced);
        }
        let calm = now.since(self.old_peak.1);
        (calm >= (period * PLATEAU_PERIODS).max(PLATEAU)).then_some(Resolution::Plateaued)
    }
}
