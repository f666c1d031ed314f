//! `tracer list`: what is open now, from one look. Nothing is traced, and nothing is waited for.

mod selection;

use std::{fs, os::unix::fs::MetadataExt as _, time::SystemTime};

use crate::{
    bpf::{
        filter::Filter,
        object::{self, Sizes},
        preflight,
        snapshot::Snapshots,
    },
    cli::args::{By, List, Output, SnapshotChoice},
    clock::boot_time,
    enrich,
    exit::NotPossible,
    fallback::reader::Reader,
    model::{connection::Direction, inventory::Inventory, snapshot::Snapshot},
    output::{
        circumstances::Facts,
        json::{self, Wall},
        list::{self, Listing, View},
    },
    require,
    runtime::stdout::{Closed, Stdout},
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
    let mut filter = options.filters.clone().into_filter();
    if view == View::Listeners {
        filter.direction = Some(Direction::Inbound);
    }
    let reading = read(&options, &filter)?;
    let now = boot_time();
    let mut inventory = Inventory::of(&reading.snapshot, now);
    selection::apply(&filter, &mut inventory);
    let facts = match view {
        View::Processes => facts(&inventory),
        _ => Facts::new(),
    };
    let listing = Listing {
        view,
        inventory,
        rows: options.rows.map_or(Ok(usize::MAX), usize::try_from)?,
        own_namespace: own_namespace(),
        facts,
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

/// The best look that is to be had here, or the one that was asked for.
fn read(options: &List, filter: &Filter) -> anyhow::Result<Reading> {
    let why = match options.snapshots {
        SnapshotChoice::Proc => None,
        SnapshotChoice::Iterator => return Ok(descriptor_tables(filter, options)?),
        SnapshotChoice::Auto => match descriptor_tables(filter, options) {
            Ok(reading) => return Ok(reading),
            Err(why) => Some(why),
        },
    };
    let outcome = Reader::new()
        .read(boot_time(), [])
        .map_err(|error| NotPossible(format!("what is open cannot be read: {error}")))?;
    let mut degraded = vec!["read from /proc and sock_diag: dead_held connections are not seen".to_owned()];
    degraded.extend(why.map(|why| format!("the better way is barred: {why}")));
    if outcome.unreadable > 0 {
        degraded.push(format!(
            "the descriptors of {} processes cannot be read",
            outcome.unreadable
        ));
    }
    if outcome.namespaces_missed > 0 {
        degraded.push(format!(
            "{} network namespaces cannot be asked",
            outcome.namespaces_missed
        ));
    }
    Ok(Reading {
        snapshot: outcome.snapshot,
        source: "proc",
        degraded,
    })
}

/// Through the BPF iterator.
fn descriptor_tables(filter: &Filter, options: &List) -> Result<Reading, NotPossible> {
    let impossible = |error: &dyn std::error::Error| NotPossible(error.to_string());
    require::privileges(filter)?;
    let types = require::kernel_types(&options.btf)?;
    let sizes = Sizes {
        ring_bytes: UNUSED_RING,
        connections: u32::try_from(options.max_connections).unwrap_or(u32::MAX),
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

/// Processes that are described, at most: reading about one takes longer than its rows.
const DESCRIBED: usize = 1000;

fn facts(inventory: &Inventory) -> Facts {
    let mut known = enrich::facts::Facts::new(DESCRIBED);
    let groups = inventory.by_process();
    let processes = groups.iter().take(DESCRIBED).map(|(process, ..)| process);
    processes
        .filter_map(|process| {
            let info = known.look_up(process.id, process.comm)?;
            Some((process.id, info.clone()))
        })
        .collect()
}

/// Inode number of this process's network namespace; 0 if that cannot be told.
fn own_namespace() -> u32 {
    fs::metadata("/proc/self/ns/net")
        .ok()
        .and_then(|namespace| u32::try_from(namespace.ino()).ok())
        .unwrap_or(0)
}
