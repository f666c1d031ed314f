//! Program runs that the kernel skipped.
//!
//! When an interrupt hits while a program runs and leads to the same program on the same CPU, the kernel skips the
//! inner run and counts it (`bpf_prog_inc_misses_counter`, `kernel/bpf/syscall.c`); no map and no ring buffer shows
//! it. aya does not expose the count, `/proc/self/fdinfo` does.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::programs::Program;

/// Runs of `program` that were skipped; `None` if it is not loaded or the kernel does not say.
pub fn recursion_misses(program: &Program) -> Option<u64> {
    let fd = program.fd().ok()?.as_fd().as_raw_fd();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    misses_in(&info)
}

/// Finds the count among the lines that `bpf_prog_show_fdinfo` (`kernel/bpf/syscall.c`) prints.
fn misses_in(info: &str) -> Option<u64> {
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::misses_in;

    #[test]
    fn the_count_is_found_among_the_other_lines() {
        let info = "pos:\t0\nprog_id:\t7\nrun_cnt:\t0\nrecursion_misses:\t42\nverified_insns:\t99\n";
        assert_eq!(misses_in(info), Some(42));
        assert_eq!(misses_in("pos:\t0\n"), None);
    }
}
