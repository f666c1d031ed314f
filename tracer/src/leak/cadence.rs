//! The beat of openings: bursts of about the same distance, as a loop makes them and load does not.

use std::time::Duration;

use super::evidence::Cadence;
use crate::model::time::Time;

/// Openings that are closer than this are one burst.
const TOGETHER: Duration = Duration::from_millis(500);
/// Share of a mean's older half that each new burst replaces: about the last 16 bursts count.
const WEIGHT: f32 = 1.0 / 16.0;
/// Bursts from which on there is a beat.
const MIN_BURSTS: u32 = 12;
/// The most that distances may vary: standard deviation by mean. Of random arrivals it is 1.
const MAX_VARIATION: f32 = 0.25;

/// Follows the distances between bursts, with faded means: 28 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beat {
    /// Begin of the burst that goes on, in milliseconds; 0 for none.
    began: u64,
    /// Openings in it.
    size: u32,
    /// Bursts before it, since the last long pause.
    bursts: u32,
    /// Faded mean of the distances, in seconds, and of their squares.
    distance: f32,
    square: f32,
    /// Faded mean of the sizes.
    sizes: f32,
}

impl Beat {
    /// Takes in so many openings, all of one burst.
    pub fn opened(&mut self, count: u32, at: Time) {
        let at = u64::try_from(at.since(Time(0)).as_millis()).unwrap_or(u64::MAX);
        let together = u64::try_from(TOGETHER.as_millis()).unwrap_or(u64::MAX);
        let since = at.saturating_sub(self.began);
        if self.began != 0 && since < together {
            self.size = self.size.saturating_add(count);
            return;
        }
        if self.began != 0 {
            self.bursts = self.bursts.saturating_add(1);
            let distance = seconds(since);
            // The first ones count fully.
            let weight = WEIGHT.max(1.0 / seconds(u64::from(self.bursts) * 1000));
            self.distance += (distance - self.distance) * weight;
            self.square += (distance * distance - self.square) * weight;
            self.sizes += (seconds(u64::from(self.size) * 1000) - self.sizes) * weight;
        }
        self.began = at;
        self.size = count;
    }

    /// The beat, if there is one.
    pub fn cadence(&self) -> Option<Cadence> {
        let variance = (self.square - self.distance * self.distance).max(0.0);
        let is_beat = self.bursts >= MIN_BURSTS
            && self.distance > TOGETHER.as_secs_f32()
            && variance.sqrt() <= MAX_VARIATION * self.distance;
        is_beat.then(|| Cadence {
            burst: rounded(self.sizes),
            every: Duration::from_secs_f32(self.distance),
            bursts: self.bursts,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn seconds(millis: u64) -> f32 {
    millis as f32 / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean of counts, at least 1; `as` saturates"
)]
fn rounded(mean: f32) -> u32 {
    mean.round().max(1.0) as u32
}
