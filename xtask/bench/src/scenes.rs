//! What is measured.

pub mod events;
pub mod memory;
pub mod recording;
pub mod snapshots;
pub mod ticks;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The result, and the processor time that it took: what else runs on the machine counts little.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = processor_time();
    let result = work();
    (result, processor_time().saturating_sub(began))
}

/// Of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}
