//! How long the processor was busy, in nanoseconds.
//!
//! `/proc/stat` counts in hundredths of a second. The kernel keeps the idle time in nanoseconds beside it
//! (`tick_nohz_stop_idle`, `kernel/time/tick-sched.c`), and tells it in `/proc/timer_list`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

const TIMER_LIST: &str = "/proc/timer_list";

/// Time and idle time at one moment.
pub(crate) struct Stopwatch {
    idle: u64,
    started: Instant,
}

impl Stopwatch {
    /// Starts.
    pub(crate) fn start() -> Result<Self> {
        let idle = idle()?;
        Ok(Self {
            idle,
            started: Instant::now(),
        })
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Nanoseconds since the start during which the processor was not idle.
    pub(crate) fn busy(&self) -> Result<u64> {
        let elapsed = u64::try_from(self.elapsed().as_nanos())?;
        elapsed
            .checked_sub(idle()? - self.idle)
            .context("more idle time than time")
    }
}

fn idle() -> Result<u64> {
    let text = fs::read_to_string(TIMER_LIST).with_context(|| format!("cannot read {TIMER_LIST}"))?;
    parse(&text).with_context(|| format!("{TIMER_LIST} tells no idle time"))
}

/// Idle time of the first processor, `  .idle_sleeptime : 84016331 nsecs`; waiting for I/O is idle, too, and stands
/// apart.
fn parse(text: &str) -> Option<u64> {
    let value = |wanted: &str| {
        let value = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == wanted).then_some(value)
        })?;
        value.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(value(".idle_sleeptime")? + value(".iowait_sleeptime")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_that_of_the_first_processor() {
        let text = "cpu: 0\n  .nohz_mode      : 2\n  .idle_entrytime : 900 nsecs\n  .idle_sleeptime : 70 nsecs\n  \
                    .iowait_sleeptime: 5 nsecs\ncpu: 1\n  .idle_sleeptime : 11 nsecs\n";
        assert_eq!(parse(text), Some(75));
        assert_eq!(parse("cpu: 0\n  .idle_sleeptime : 70 nsecs\n"), None);
    }
}
