//! What the kernel counts of BPF programs (`kernel.bpf_stats_enabled`): runs, and time, which is instructions here.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use aya::programs::loaded_programs;
use meter::Program;

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// By the id of the program.
pub(crate) type Programs = BTreeMap<u32, Program>;

/// Counted as long as this lives: counting has a price of its own.
pub(crate) struct Statistics(());

impl Statistics {
    /// Starts counting.
    pub(crate) fn enable() -> Result<Self> {
        fs::write(SWITCH, "1").with_context(|| format!("cannot write {SWITCH}"))?;
        Ok(Self(()))
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        // The guest does nothing after this that would mind.
        let _failed = fs::write(SWITCH, "0");
    }
}

/// As counted until now.
pub(crate) fn read() -> Result<Programs> {
    let mut programs = Programs::new();
    for info in loaded_programs() {
        let info = info.context("a BPF program cannot be looked at")?;
        let program = Program {
            name: info.name_as_str().unwrap_or("?").to_owned(),
            runs: info.run_count(),
            instructions: u64::try_from(info.run_time().as_nanos())?,
        };
        programs.insert(info.id(), program);
    }
    Ok(programs)
}

/// What those that ran did between two readings.
pub(crate) fn between(before: &Programs, after: Programs) -> Vec<Program> {
    let none = (0, 0);
    after
        .into_iter()
        .map(|(id, program)| {
            let (runs, instructions) = before.get(&id).map_or(none, |was| (was.runs, was.instructions));
            Program {
                name: program.name,
                runs: program.runs - runs,
                instructions: program.instructions - instructions,
            }
        })
        .filter(|program| program.runs > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_did_not_run_are_left_out() {
        let program = |name: &str, runs, instructions| Program {
            name: name.to_owned(),
            runs,
            instructions,
        };
        let before = Programs::from([(1, program("a", 5, 500)), (2, program("b", 1, 10))]);
        let after = Programs::from([
            (1, program("a", 7, 800)),
            (2, program("b", 1, 10)),
            (3, program("c", 1, 9)),
        ]);
        assert_eq!(
            between(&before, after),
            [program("a", 2, 300), program("c", 1, 9)]
        );
    }
}
