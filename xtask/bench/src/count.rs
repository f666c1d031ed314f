//! Allocations and bytes, counted.

use std::alloc::System;

use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What was allocated on the way. All threads count: nothing else may run.
pub struct Counting(Region<'static, System>);

impl Counting {
    /// From now on.
    pub fn new() -> Self {
        Self(Region::new(ALLOCATOR))
    }

    /// Allocations, and changes of size, since then.
    pub fn allocations(&self) -> usize {
        let change = self.0.change();
        change.allocations + change.reallocations
    }

    /// Bytes allocated since then, less those freed.
    pub fn bytes(&self) -> usize {
        let change = self.0.change();
        change.bytes_allocated.saturating_sub(change.bytes_deallocated)
    }
}

impl Default for Counting {
    fn default() -> Self {
        Self::new()
    }
}

/// What can be counted, and so does not depend on the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Allocations per event, once all groups are known.
    pub allocations_per_event: f64,
    /// Bytes for each open connection.
    pub bytes_per_connection: f64,
    /// Bytes for each open connection when snapshots have told what it carried.
    pub bytes_per_idle_connection: f64,
    /// Bytes for each group, its connection not counted: of a few processes with many peers each.
    pub bytes_per_group: f64,
    /// The same where each group is a process of its own.
    pub bytes_per_process: f64,
    /// The same where each group has a peer of its own.
    pub bytes_per_peer: f64,
    /// Allocations per line of a recording, read.
    pub allocations_per_line: f64,
}
