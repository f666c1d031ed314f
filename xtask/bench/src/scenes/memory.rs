//! What connections and groups weigh.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;

use super::float;
use crate::{
    count::{Counting, Counts},
    engine::Engine,
    stream::Stream,
    world::{BEGIN, World},
};

const GROUPS: World = World {
    processes: 100,
    peers: 200,
};
const PROCESSES: World = World {
    processes: 20_000,
    peers: 1,
};
const PEERS: World = World {
    processes: 1,
    peers: 20_000,
};
/// The groups that many connections belong to.
const FEW: World = World {
    processes: 10,
    peers: 10,
};

/// All that is counted. Nothing else may run meanwhile.
pub fn counts() -> Counts {
    let bytes_per_connection = connections(1 << 16);
    Counts {
        allocations_per_event: super::events::allocations(),
        bytes_per_connection,
        bytes_per_idle_connection: idle(1 << 16),
        bytes_per_group: groups(GROUPS, bytes_per_connection),
        bytes_per_process: groups(PROCESSES, bytes_per_connection),
        bytes_per_peer: groups(PEERS, bytes_per_connection),
        allocations_per_line: super::recording::allocations(),
    }
}

/// Bytes for each of so many open connections that were seen opening.
fn connections(open: usize) -> f64 {
    let mut stream = Stream::new(FEW, open, 100_000);
    let (few, many) = (stream.batch(1_000), stream.batch(open - 1_000));
    let mut engine = Engine::new(1 << 21, 1 << 10);
    few.records().for_each(|record| engine.record(record));
    engine.settle(BEGIN);
    let counting = Counting::new();
    many.records().for_each(|record| engine.record(record));
    engine.settle(BEGIN);
    float(counting.bytes()) / float(open - 1_000)
}

/// The same of connections that snapshots know.
fn idle(open: usize) -> f64 {
    let snapshot = |connections: usize, seconds| {
        let at = BEGIN + Duration::from_secs(seconds);
        FEW.snapshot(connections as u64, at, Duration::from_hours(1))
    };
    let snapshots = [snapshot(1_000, 0), snapshot(open, 30), snapshot(open, 60)];
    let mut engine = Engine::new(1 << 21, 1 << 10);
    engine.reconcile(&snapshots[0], snapshots[0].began);
    let counting = Counting::new();
    for snapshot in &snapshots[1..] {
        engine.reconcile(snapshot, snapshot.began);
    }
    float(counting.bytes()) / float(open - 1_000)
}

/// Bytes for each group in which one connection is open, less those of the connection.
fn groups(world: World, bytes_per_connection: f64) -> f64 {
    let count = world.groups() as usize;
    let mut stream = Stream::new(world, count, 100_000);
    // Each has seen a close, too.
    let batches = [stream.batch(count), stream.batch(count)];
    let counting = Counting::new();
    let mut engine = Engine::new(1 << 21, 1 << 18);
    for batch in &batches {
        batch.records().for_each(|record| engine.record(record));
    }
    engine.settle(BEGIN);
    (float(counting.bytes()) / float(count) - bytes_per_connection).max(0.0)
}

/// The resident set of this process with so many connections open, in MiB.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn hold(connections: usize) -> anyhow::Result<f64> {
    let mut stream = Stream::new(FEW, connections, 100_000);
    let mut engine = Engine::new(1 << 21, 1 << 14);
    let mut left = connections;
    while left > 0 {
        let part = left.min(10_000);
        stream
            .batch(part)
            .records()
            .for_each(|record| engine.record(record));
        left -= part;
    }
    engine.settle(BEGIN);
    let open = engine.ledger.total().open as usize;
    anyhow::ensure!(open == connections, "{open} are open instead of {connections}");
    peak(Path::new("/proc/self")).context("cannot read /proc/self/status")
}

/// The most that a process ever had resident, in MiB, by its directory in `/proc`; `None` if it is gone.
pub fn peak(process: &Path) -> Option<f64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
