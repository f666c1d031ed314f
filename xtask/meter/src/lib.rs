//! What the meter is to measure, and what it found: the two sides of the guest's console.

use serde::{Deserialize, Serialize};

/// The report is the rest of the line that begins with this.
pub const REPORT: &str = "meter-report: ";

/// What to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Connections of each load.
    pub connections: u32,
    /// Length of the window that a load is measured in, milliseconds; what a tool does late must fit, too.
    pub window_ms: u64,
    /// What to run beside the loads, one after the other.
    pub cases: Vec<Case>,
}

/// Something to run beside the loads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Names it in the report.
    pub name: String,
    /// Its command line; empty: nothing runs.
    pub argv: Vec<String>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// `uname -r`.
    pub kernel: String,
    /// The clock of the guest kernel.
    pub clocksource: String,
    /// Loads of [`Plan::connections`] connections beside each case.
    pub loads: u32,
    /// One for each case of the plan, in its order.
    pub cases: Vec<Measured>,
}

/// What was measured beside one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// A window without a load.
    pub idle: Work,
    /// A window that began with a load.
    pub loaded: Work,
    /// What the kernel's BPF programs did during another load, by id.
    pub programs: Vec<Program>,
    /// Lines that the case wrote until it was ended.
    pub lines: u64,
    /// The last of them.
    pub last_line: String,
}

/// Instructions during a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Of the whole system: all the time that the processor was not idle.
    pub system: u64,
    /// Of these, in the process of the case, user and kernel mode.
    pub process: u64,
}

/// What one BPF program did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name; the kernel keeps 15 bytes.
    pub name: String,
    /// Runs.
    pub runs: u64,
    /// Instructions in all runs together.
    pub instructions: u64,
}
