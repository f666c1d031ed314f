//! `/proc/PID/stat`: the name and the start of a process.

use super::link::decimal;
use crate::model::{connection::ProcessId, name::Comm, time::Time};

/// Nanoseconds of a clock tick as `/proc` counts them: `USER_HZ` is 100 on every machine that BPF programs are
/// compiled for here (`include/asm-generic/param.h`).
const TICK: u64 = 10_000_000;

/// When a process started, in clock ticks since boot: all that `/proc` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u64);

impl Ticks {
    /// What `/proc` shows for a process that started then (`nsec_to_clock_t`, `kernel/time/time.c`).
    pub const fn of(start: Time) -> Self {
        Self(start.0 / TICK)
    }

    /// The earliest moment that is shown as these ticks.
    pub const fn time(self) -> Time {
        Time(self.0.saturating_mul(TICK))
    }

    /// Whether a process that is known to have started then may be shown with these ticks: a tick more or less is
    /// allowed for.
    pub const fn fits(self, start: Time) -> bool {
        Self::of(start).0.abs_diff(self.0) <= 1
    }
}

/// What is read of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Name of the main thread.
    pub comm: Comm,
    /// Start of the process.
    pub start: Ticks,
    /// It has exited, and its parent has not taken note: state `Z` or `X`.
    pub is_dead: bool,
}

impl Stat {
    /// From the file's bytes. The name may contain anything, brackets too, so it ends at the last one
    /// (`do_task_stat`, `fs/proc/array.c`).
    pub fn parse(file: &[u8]) -> Option<Self> {
        let open = file.iter().position(|&byte| byte == b'(')?;
        let close = file.iter().rposition(|&byte| byte == b')')?;
        let comm = file.get(open + 1..close)?;
        // After the name comes field 3 of the line; the start is field 22.
        let mut fields = file
            .get(close + 1..)?
            .split(u8::is_ascii_whitespace)
            .filter(|field| !field.is_empty());
        let state = fields.next()?;
        let start = fields.nth(22 - 4)?;
        Some(Self {
            comm: Comm::from(comm),
            start: Ticks(decimal(start)?),
            is_dead: matches!(state, b"Z" | b"X"),
        })
    }

    /// The identity of the process, as exact as ticks are.
    pub const fn process(&self, pid: u32) -> ProcessId {
        ProcessId {
            pid,
            start: self.start.time(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(comm: &[u8], start: u64) -> Vec<u8> {
        let mut line = b"4711 (".to_vec();
        line.extend_from_slice(comm);
        line.extend_from_slice(
            format!(") S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {start} 1000 2000\n").as_bytes(),
        );
        line
    }

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let comm = b") S 1 2 (x) 3";
        let stat = Stat::parse(&line(comm, 77)).unwrap();
        assert_eq!((stat.comm.bytes(), stat.start), (&comm[..], Ticks(77)));
    }

    #[test]
    fn a_file_that_is_cut_says_nothing() {
        let whole = line(b"x", 123);
        let start = whole.windows(4).position(|four| four == b" 123").unwrap();
        for length in 0..=start {
            assert_eq!(Stat::parse(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn our_own_start_lies_before_now() {
        let stat = Stat::parse(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let started = std::time::Duration::from_nanos(stat.start.time().0).as_secs_f64();
        assert!(started > 0.0 && started <= uptime, "{started} of {uptime}");
    }

    proptest! {
        #[test]
        fn any_name_and_start_come_back(comm in prop::collection::vec(any::<u8>(), 0..15), start in any::<u64>()) {
            let stat = Stat::parse(&line(&comm, start)).unwrap();
            prop_assert_eq!(stat, Stat { comm: Comm::from(&comm[..]), start: Ticks(start), is_dead: false });
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(&bytes);
        }

        #[test]
        fn a_start_fits_its_own_ticks_and_none_far_away(start in 0..u64::MAX / 2, off in 2..1000_u64) {
            let ticks = Ticks(start / TICK);
            prop_assert!(ticks.fits(Time(start)));
            prop_assert!(ticks.time() <= Time(start));
            prop_assert!(!Ticks(ticks.0 + off).fits(Time(start)));
        }
    }
}
