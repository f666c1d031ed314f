//! The clock that the kernel programs use.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::model::time::Time;

/// The time by `CLOCK_BOOTTIME`.
pub fn boot_time() -> Time {
    let now = clock_gettime(ClockId::Boottime);
    Time(0)
        + Duration::new(
            now.tv_sec.try_into().unwrap_or(0),
            now.tv_nsec.try_into().unwrap_or(0),
        )
}
