//! How fast recorded time passes.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::model::time::Time;

/// How often a pause is interrupted to ask whether it is over.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// So many recorded seconds in a second.
pub struct Pace {
    factor: f64,
    began: Instant,
    begin: Time,
}

impl Pace {
    /// From now on, at `begin` of the recording.
    pub fn new(factor: f64, begin: Time) -> Self {
        Self {
            factor,
            began: Instant::now(),
            begin,
        }
    }

    /// Waits until it is that time, or told to stop.
    pub fn wait(&self, until: Time, is_stopped: impl Fn() -> bool) {
        let recorded = until.since(self.begin).as_secs_f64() / self.factor;
        let Ok(due) = Duration::try_from_secs_f64(recorded) else {
            return;
        };
        while !is_stopped() {
            let left = due.saturating_sub(self.began.elapsed());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(LISTEN_EVERY));
        }
    }
}
