//! Every number that a verdict depends on, with its unit.

pub mod named;

use std::time::Duration;

use super::rings;
use crate::model::connection::Direction;

/// How soon to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// Later, and surer.
    Low,
    /// As measured in `docs/detection.md`.
    #[default]
    Normal,
    /// Sooner, with more false alarms.
    High,
}

/// The numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Survivors needed at the first scale (16 s), as a share of what is left below the limit.
    pub need: f64,
    /// How the need falls from scale to scale: with this power of the period.
    pub need_power: f64,
    /// The least survivors at any scale: connections.
    pub need_least: f64,
    /// What is left below the limit counts up to this many outbound connections.
    pub need_cap: f64,
    /// The same, inbound.
    pub need_cap_inbound: f64,
    /// Inbound groups need this many times more: it is the peer that decides how many there are.
    pub inbound: f64,
    /// Survivors needed of connections whose peer is gone, at the first scale: connections.
    pub gone: f64,
    /// How that falls from scale to scale.
    pub gone_power: f64,
    /// The least of these at any scale: connections.
    pub gone_least: f64,
    /// The least share of the survivors of a third of the window that each third must have.
    pub even: f64,
    /// The same for the two youngest periods: the growth goes on.
    pub young: f64,
    /// The least share of what became old that must have stayed.
    pub flow: f64,
    /// The same of connections whose peer is gone.
    pub gone_flow: f64,
    /// The same over the longer past.
    pub long_flow: f64,
    /// Share of the old ones that are unused, from which on they count as abandoned.
    pub unused: f64,
    /// Factor on the need where they are, for longer than common idle timeouts: `silent_for`.
    pub unused_factor: f64,
    /// The same where they have not been silent for that long.
    pub quiet_factor: f64,
    /// Share of the old ones that are in use, from which on they count as a working pool.
    pub used: f64,
    /// Factor on the need where they are.
    pub used_factor: f64,
    /// The same where the window is longer than a day, so that no day's course can look like it.
    pub used_factor_days: f64,
    /// One more factor where they are and have time: where the limit is farther than `hurry`.
    pub used_factor_time: f64,
    /// Generations, in parts of a sixth of a period, that they must be of where they are in use: a pool is resized now and
    /// then.
    pub used_generations: u32,
    /// What takes longer than this to reach the limit can wait: it needs as much as if it were in use, until it has been
    /// silent for `silent_for` or grown for more than a day.
    pub hurry: Duration,
    /// Share of the limit: where it will be in use before a window is whole, the newer half of the window may do.
    pub pressing: f64,
    /// Factor on the need where they come in a beat.
    pub beat_factor: f64,
    /// Factor on the need of what is spread over many peers, unless it is unused for longer than `silent_for`.
    pub spread_factor: f64,
    /// Share of the need that counts as one tooth of a saw.
    pub tooth: f64,
    /// Share of the need that counts as one life of a program that is restarted.
    pub life: f64,
    /// Teeth that make a finding.
    pub teeth: u32,
    /// Share of the limit that makes a finding, if it was taken evenly and without closes.
    pub surge: f64,
    /// Only if the limit is nearer than this.
    pub surge_within: Duration,
    /// Share of the limit that makes a finding where it was there when the tracer came.
    pub accumulated: f64,
    /// Connections from which on silent ones make a finding, where they were there when the tracer came.
    pub accumulated_silent: u32,
    /// Silence that is longer than common idle timeouts.
    pub silent_for: Duration,
    /// Share of the descriptor limit that makes a finding whatever it consists of.
    pub limit: f64,
    /// Attempts under way, unanswered, that make a finding.
    pub unanswered: u32,
    /// How long the oldest of them must have waited.
    pub unanswered_for: Duration,
}

impl Thresholds {
    /// For a sensitivity.
    pub fn new(sensitivity: Sensitivity) -> Self {
        let normal = Self {
            need: 0.5,
            need_power: 0.55,
            need_least: 8.0,
            need_cap: 1024.0,
            need_cap_inbound: 8192.0,
            inbound: 1.5,
            gone: 16.0,
            gone_power: 0.2,
            gone_least: 4.0,
            even: 0.3,
            young: 0.75,
            flow: 0.9,
            gone_flow: 0.75,
            long_flow: 0.85,
            unused: 0.7,
            unused_factor: 0.6,
            quiet_factor: 0.85,
            used: 0.7,
            used_factor: 3.0,
            used_factor_days: 1.5,
            used_factor_time: 2.0,
            used_generations: 10,
            hurry: Duration::from_hours(12),
            pressing: 0.4,
            beat_factor: 0.45,
            spread_factor: 1.4,
            tooth: 0.25,
            life: 0.15,
            teeth: 3,
            surge: 0.375,
            surge_within: Duration::from_hours(6),
            accumulated: 0.25,
            accumulated_silent: 100,
            silent_for: Duration::from_mins(65),
            limit: 0.8,
            unanswered: 16,
            unanswered_for: Duration::from_secs(30),
        };
        match sensitivity {
            Sensitivity::Normal => normal,
            Sensitivity::Low => Self {
                need: normal.need * 1.6,
                gone: normal.gone * 1.6,
                need_least: 12.0,
                flow: 0.95,
                surge: 0.5,
                accumulated: 0.5,
                limit: 0.9,
                ..normal
            },
            Sensitivity::High => Self {
                need: normal.need * 0.6,
                gone: normal.gone * 0.6,
                surge: 0.25,
                accumulated: 0.15,
                limit: 0.7,
                ..normal
            },
        }
    }

    /// Survivors that a finding needs at a scale: `max(least, need * (W / 16 s)^-power * head)`, `head` being what is
    /// left below the limit, up to a cap.
    pub fn need(&self, scale: usize, direction: Direction, left: Option<u64>) -> f64 {
        let factor = match direction {
            Direction::Outbound => 1.0,
            Direction::Inbound => self.inbound,
        };
        let share = self.need * relative(scale).powf(-self.need_power);
        (share * self.head(direction, left)).max(self.need_least) * factor
    }

    /// What is left below the limit, as far as it counts.
    pub fn head(&self, direction: Direction, left: Option<u64>) -> f64 {
        let cap = match direction {
            Direction::Outbound => self.need_cap,
            Direction::Inbound => self.need_cap_inbound,
        };
        #[expect(clippy::cast_precision_loss, reason = "capped")]
        left.map_or(self.need_cap, |left| (left as f64).min(cap))
    }

    /// The same of connections whose peer is gone.
    pub fn need_gone(&self, scale: usize) -> f64 {
        (self.gone * relative(scale).powf(-self.gone_power)).max(self.gone_least)
    }
}

/// A scale's period by the first one's.
fn relative(scale: usize) -> f64 {
    rings::period(scale).as_secs_f64() / rings::period(0).as_secs_f64()
}
