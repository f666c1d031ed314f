//! One look at what is open: through BPF where it is to be had, else through what any process may ask.

use std::path::Path;

use crate::{
    bpf::{
        filter::Filter,
        object::{self, Sizes, StackChoice},
        preflight,
        snapshot::Snapshots,
    },
    cli::args::SnapshotChoice,
    clock::boot_time,
    exit::NotPossible,
    fallback::reader::{Outcome, Reader},
    model::snapshot::Snapshot,
    require,
};

/// No hook is attached, so nothing goes through the ring buffer: one page, of the machines with the largest.
const UNUSED_RING: u32 = 1 << 16;

/// What was read, and how.
pub struct Reading {
    /// What was found.
    pub snapshot: Snapshot,
    /// The name of the means.
    pub source: &'static str,
    /// What cannot be seen that way, one sentence each.
    pub degraded: Vec<String>,
}

/// The best look that is to be had here, or the one that was asked for.
///
/// # Errors
/// When there is none.
pub fn read(
    filter: &Filter,
    choice: SnapshotChoice,
    btf: &Path,
    connections: u32,
) -> Result<Reading, NotPossible> {
    let tables = || descriptor_tables(filter, btf, connections);
    match choice {
        SnapshotChoice::Auto => tables().or_else(|why| sockets_and_processes(&why)),
        SnapshotChoice::Iterator => tables(),
        SnapshotChoice::Proc => sockets_and_processes(&NotPossible("as asked for".to_owned())),
    }
}

/// Through the BPF iterator.
fn descriptor_tables(filter: &Filter, btf: &Path, connections: u32) -> Result<Reading, NotPossible> {
    let impossible = |error: &dyn std::error::Error| NotPossible(error.to_string());
    require::privileges(filter)?;
    let types = require::kernel_types(btf)?;
    let sizes = Sizes {
        ring_bytes: UNUSED_RING,
        connections,
        ..Sizes::default()
    };
    // All connections are read, and the filter is applied afterwards: a listening socket outside the filter tells the
    // direction of connections inside.
    let mut ebpf = object::open(&types, &Filter::default(), sizes, StackChoice::Off, 0)
        .map_err(|error| impossible(&error))?;
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

/// Without BPF; `why` says why.
fn sockets_and_processes(why: &NotPossible) -> Result<Reading, NotPossible> {
    let Outcome {
        snapshot,
        unreadable,
        namespaces_missed,
        ..
    } = Reader::new().read(boot_time(), []).map_err(|error| {
        NotPossible(format!(
            "what is open cannot be read: {why}; nor can it be read without BPF: {error}"
        ))
    })?;
    let mut degraded = vec![format!(
        "dead connections that are still held are not seen without BPF ({why})"
    )];
    for (count, what) in [
        (
            unreadable,
            "processes may not be looked into: what they hold is not seen",
        ),
        (namespaces_missed, "network namespaces cannot be asked"),
    ] {
        if count > 0 {
            degraded.push(format!("{count} {what}"));
        }
    }
    Ok(Reading {
        snapshot,
        source: "sock_diag",
        degraded,
    })
}
