//! What a finding is told with, beside what the detector says.

use std::collections::HashMap;

use super::{json::Wall, record::Confidence};
use crate::model::{
    budget::{PortUse, Standing},
    code::Code,
    connection::ProcessId,
    name::Comm,
    process::ProcessInfo,
    snapshot::Reconciled,
    time::Time,
};

/// Facts about processes.
pub type Facts = HashMap<ProcessId, ProcessInfo>;

/// The last comparison of the ledger with the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// When it was.
    pub at: Time,
    /// Events that had been lost by then.
    pub lost: u64,
    /// What it changed.
    pub changed: Reconciled,
}

/// The circumstances of a finding.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// What it is worth.
    pub confidence: Confidence,
    /// What is known of its process.
    pub info: Option<&'a ProcessInfo>,
    /// The descriptors of its process.
    pub standing: Option<Standing>,
    /// Local ports taken towards its peer; of outbound connections.
    pub ports: Option<PortUse>,
    /// Other processes that opened what its process holds, the most first.
    pub openers: Vec<(ProcessId, Comm, u32)>,
    /// Processes of this host that hold the other ends of the connections, the most first.
    pub other_ends: Vec<(ProcessId, Comm, u32)>,
    /// Which code opened the connections that it is about, as far as anybody asked.
    pub code: Option<Code>,
    /// Whether frames of libraries are shown.
    pub full_stacks: bool,
    /// The network namespace in which suggested commands will be run.
    pub own_netns: Option<u32>,
    /// How moments become wall-clock times.
    pub wall: Wall,
    /// The moment of telling.
    pub now: Time,
}
