//! `tracer list`: what is open now, from one look. Nothing is traced, and nothing is waited for.

mod selection;

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, time::SystemTime};

use crate::{
    bpf::{
        filter::Filter,
        object::{self, Sizes},
        preflight,
        snapshot::Snapshots,
    },
    cli::args::{By, List, Output},
    clock::boot_time,
    exit::NotPossible,
    model::{connection::Direction, inventory::Inventory, snapshot::Snapshot},
    output::{
        json::{self, Wall},
        list::{self, Listing, View},
    },
    require,
    stdout::{Closed, Stdout},
};

/// Looks once, and prints.
///
/// # Errors
/// When nothing can be read here, or stdout cannot be written.
pub fn run(options: List) -> anyhow::Result<()> {
    let view = match options.by {
        _ if options.all => View::Connections,
        By::Peer => View::Peers,
        By::Process => View::Processes,
        By::State => View::States,
        By::Listener => View::Listeners,
    };
    let mut filter = options.filters.into_filter();
    if view == View::Listeners {
        filter.direction = Some(Direction::Inbound);
    }
    let connections = u32::try_from(options.max_connections)?;
    let reading = read(&filter, &options.btf, connections)?;
    let now = boot_time();
    let mut inventory = Inventory::of(&reading.snapshot, now);
    selection::apply(&filter, &mut inventory);
    let listing = Listing {
        view,
        inventory,
        rows: options.rows.map_or(Ok(usize::MAX), usize::try_from)?,
        own_namespace: own_namespace(),
        source: reading.source,
        degraded: reading.degraded,
    };
    let text = match options.output {
        Output::Text => list::render(&listing),
        Output::Json => json::list::lines(&listing, Wall::new(now, SystemTime::now()), now),
    };
    match Stdout::new()?.write(&text) {
        Err(error) if error.downcast_ref::<Closed>().is_some() => Ok(()),
        written => written,
    }
}

/// No hook is attached, so nothing goes through the ring buffer: one page, of the machines with the largest.
const UNUSED_RING: u32 = 1 << 16;

/// What was read, and how.
struct Reading {
    snapshot: Snapshot,
    /// As [`Listing::source`].
    source: &'static str,
    /// What cannot be seen that way, one sentence each.
    degraded: Vec<String>,
}

/// The best look that is to be had here.
fn read(filter: &Filter, btf: &Path, connections: u32) -> Result<Reading, NotPossible> {
    let why = match descriptor_tables(filter, btf, connections) {
        Ok(reading) => return Ok(reading),
        Err(why) => why,
    };
    // The place for another way to look, which needs no BPF (/proc and sock_diag): its reading, with `why` in
    // `degraded`, instead of this error.
    Err(NotPossible(format!("what is open cannot be read: {why}")))
}

/// Through the BPF iterator.
fn descriptor_tables(filter: &Filter, btf: &Path, connections: u32) -> Result<Reading, NotPossible> {
    let impossible = |error: &dyn std::error::Error| NotPossible(error.to_string());
    require::privileges(filter)?;
    let types = require::kernel_types(btf)?;
    let sizes = Sizes {
        ring_bytes: UNUSED_RING,
        connections,
    };
    // All connections are read, and the filter is applied afterwards: a listening socket outside the filter tells the
    // direction of connections inside.
    let mut ebpf = object::open(&types, &Filter::default(), sizes, 0).map_err(|error| impossible(&error))?;
    let mut snapshots = Snapshots::new(&mut ebpf, types.btf()).map_err(|error| impossible(&error))?;
    let snapshot = snapshots
        .read(&mut ebpf, boot_time())
        .map_err(|error| impossible(&error))?;
    let mut degraded = Vec::new();
    if !preflight::in_initial_pid_namespace() {
        // The iterator walks the PID namespace of the process that opens it (`init_seq_pidns`,
        // kernel/bpf/task_iter.c).
        degraded.push("processes outside this PID namespace are not seen".to_owned());
    }
    Ok(Reading {
        snapshot,
        source: "iterator",
        degraded,
    })
}

/// Inode number of this process's network namespace; 0 if that cannot be told.
fn own_namespace() -> u32 {
    fs::metadata("/proc/self/ns/net")
        .ok()
        .and_then(|namespace| u32::try_from(namespace.ino()).ok())
        .unwrap_or(0)
}
