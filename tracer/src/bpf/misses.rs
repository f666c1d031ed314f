//! Program runs that the kernel skipped.
//!
//! When an interrupt hits while a program runs and leads to the same program on the same CPU, the kernel skips the
//! inner run and counts it (`bpf_prog_inc_misses_counter`, `kernel/bpf/syscall.c`); no map and no ring buffer shows
//! it. aya does not expose the count, `/proc/self/fdinfo` does.

use std::{
    collections::BTreeMap,
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{Ebpf, programs::Program};

use super::probe_link::ProbeLink;

/// Runs of one program that the kernel skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misses {
    /// Name of the program.
    pub program: String,
    /// Runs skipped because the program was already running on that CPU.
    pub runs: u64,
    /// Hits of its kprobe that the kernel skipped; `None` for other hooks, and where the kernel does not tell.
    pub hits: Option<u64>,
}

/// Reads them.
#[derive(Default)]
pub struct MissReader {
    probes: Vec<(String, ProbeLink)>,
    /// What was read last.
    hits: BTreeMap<String, u64>,
}

impl MissReader {
    /// Finds the kprobes among the attached programs.
    pub fn new(ebpf: &Ebpf) -> Self {
        let probes = ebpf
            .programs()
            .filter(|(_, program)| matches!(program, Program::KProbe(_)))
            .filter_map(|(name, program)| {
                let id = program.info().ok()?.id();
                Some((name.to_owned(), ProbeLink::of_program(id)?))
            })
            .collect();
        Self {
            probes,
            hits: BTreeMap::new(),
        }
    }

    /// Lets go of the kprobes: while they are held here they stay attached.
    pub fn detach(&mut self) {
        self.read_hits();
        self.probes.clear();
    }

    fn read_hits(&mut self) {
        for (name, link) in &self.probes {
            if let Some(missed) = link.missed() {
                self.hits.insert(name.clone(), missed);
            }
        }
    }

    /// The counts of each program in use, by name.
    pub fn read(&mut self, ebpf: &Ebpf) -> Vec<Misses> {
        self.read_hits();
        let mut misses: Vec<Misses> = ebpf
            .programs()
            .filter_map(|(name, program)| {
                Some(Misses {
                    program: name.to_owned(),
                    runs: recursion_misses(program)?,
                    hits: self.hits.get(name).copied(),
                })
            })
            .collect();
        // The object keeps its programs in no order.
        misses.sort_unstable_by(|a, b| a.program.cmp(&b.program));
        misses
    }
}

/// Runs of `program` that were skipped; `None` if it is not loaded or the kernel does not say.
fn recursion_misses(program: &Program) -> Option<u64> {
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
