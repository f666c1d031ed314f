//! What is open now, as records.

use std::time::Duration;

use super::{Wall, code, described, direction, line, process, seconds};
use crate::{
    model::{
        by_stack::ByStack,
        connection::{Phase, ProcessId},
        inventory::{
            Listed,
            groups::{Counts, Group, NamedProcess},
        },
        listener::ListeningSocket,
        name::Comm,
        snapshot::Descriptors,
        time::Time,
    },
    output::{
        list::{Listing, View},
        record::{
            self, AgeBounds, Body, Books, Holder, HolderCount, IdleRange, ListSummary, ListedConnection,
            ListedGroup, ListedKey, ListedListener, ListedStack, PhaseCounts, PhaseName, Process, StackPeer,
            StackSummary,
        },
    },
};

/// Processes and namespaces that one line names.
const NAMED: usize = 16;

/// One line for each row, and one that sums them up.
pub fn lines(listing: &Listing, wall: Wall, now: Time) -> String {
    let rows: Vec<Body> = match listing.view {
        View::Connections => {
            let connections = listing.inventory.connections.iter();
            connections
                .map(|listed| Body::Connection(connection(listed)))
                .collect()
        }
        _ => groups(listing).into_iter().map(Body::Group).collect(),
    };
    let hidden = rows.len().saturating_sub(listing.rows) as u64;
    let summary = Body::ListSummary(summary(listing, hidden));
    rows.into_iter()
        .take(listing.rows)
        .chain([summary])
        .map(|body| line(wall, now, body))
        .collect()
}

/// One line for each stack, and one that sums them up.
pub fn stacks(
    found: &ByStack,
    rows: usize,
    watched: Duration,
    books: Books,
    degraded: &[String],
    wall: Wall,
    now: Time,
) -> String {
    let each = found.rows.iter().take(rows).map(|row| {
        let (stack, unknown) = match &row.code {
            Ok(trace) => (Some(code::stack(trace, row.connections)), None),
            Err(why) => (None, Some(code::reason(*why))),
        };
        Body::OpenedBy(Box::new(ListedStack {
            process: process(row.process, row.comm),
            connections: row.connections,
            peer: row.peer.map(|key| StackPeer {
                direction: direction(key.direction),
                peer: key.peer.to_string(),
                service_port: key.service_port,
            }),
            stack,
            unknown,
        }))
    });
    let summary = Body::StackSummary(StackSummary {
        seconds: seconds(watched),
        connections: found.open(),
        opened_before: found.before,
        rows_hidden: found.rows.len().saturating_sub(rows) as u64,
        degraded: degraded.to_vec(),
        books,
    });
    each.chain([summary]).map(|body| line(wall, now, body)).collect()
}

fn groups(listing: &Listing) -> Vec<ListedGroup> {
    let inventory = &listing.inventory;
    match listing.view {
        View::Connections => Vec::new(),
        View::Peers => {
            let groups = inventory.by_peer().into_iter().map(|(key, sum)| {
                let key = ListedKey::Peer {
                    direction: direction(key.direction),
                    peer: key.peer.to_string(),
                    service_port: key.service_port,
                };
                group(key, &sum)
            });
            groups.collect()
        }
        View::Processes => {
            let groups = inventory.by_process().into_iter().map(|(key, table, sum)| {
                let key = ListedKey::Process {
                    process: described(key.id, key.comm, listing.facts.get(&key.id)),
                    descriptors: table.map(descriptors),
                };
                group(key, &sum)
            });
            groups.collect()
        }
        View::States => {
            let groups = inventory.by_state().into_iter().map(|(phase, sum)| {
                let phase = phase_name(phase);
                group(ListedKey::State { phase }, &sum)
            });
            groups.collect()
        }
        View::Listeners => {
            let groups = inventory.by_listener().into_iter().map(|(socket, sum)| {
                let key = ListedKey::Listener {
                    listener: socket.map(listener),
                };
                group(key, &sum)
            });
            groups.collect()
        }
    }
}

fn connection(listed: &Listed) -> ListedConnection {
    let given_up = match listed.phase {
        Phase::Unaccepted { given_up } => Some(given_up),
        _ => None,
    };
    let holders = listed.holders.iter().take(NAMED).map(|holder| Holder {
        process: process(holder.process, holder.comm),
        fd: holder.fd,
    });
    let traffic = listed.traffic;
    ListedConnection {
        direction: direction(listed.direction),
        local: listed.local.to_string(),
        peer: listed.peer.to_string(),
        service_port: listed.service_port(),
        netns: (listed.netns != 0).then_some(listed.netns),
        phase: phase_name(listed.phase),
        given_up,
        listener: listed.listener.map(|id| id.0),
        inode: traffic.map(|traffic| traffic.inode).filter(|inode| *inode != 0),
        age_at_least_seconds: seconds(listed.age_at_least),
        idle_seconds: traffic.map(|traffic| seconds(traffic.idle)),
        sent_bytes: traffic.map(|traffic| traffic.sent.to_string()),
        received_bytes: traffic.map(|traffic| traffic.received.to_string()),
        holders: holders.collect(),
        holders_hidden: beyond_named(listed.holders.len()),
    }
}

fn group(key: ListedKey, group: &Group) -> ListedGroup {
    let holders = group.holders.iter().take(NAMED);
    let holders = holders.map(|(NamedProcess { id, comm }, connections)| HolderCount {
        process: process(*id, *comm),
        connections: *connections,
    });
    ListedGroup {
        key,
        connections: group.counts.total(),
        phases: counts(&group.counts),
        age_at_least: group.ages.map(|ages| AgeBounds {
            oldest: seconds(ages.oldest.span),
            median: seconds(ages.median.span),
        }),
        idle: group.idle.map(|(least, most)| IdleRange {
            least: seconds(least),
            most: seconds(most),
        }),
        netns: group.namespaces.iter().copied().take(NAMED).collect(),
        netns_hidden: beyond_named(group.namespaces.len()),
        holders: holders.collect(),
        holders_hidden: beyond_named(group.holders.len()),
    }
}

fn listener(socket: &ListeningSocket) -> ListedListener {
    let named = socket.holders.iter().take(NAMED);
    let processes: Vec<Process> = named
        .map(|&(id, comm): &(ProcessId, Comm)| process(id, comm))
        .collect();
    ListedListener {
        inode: socket.id.0,
        local: socket.local.to_string(),
        netns: socket.netns,
        processes,
        processes_hidden: beyond_named(socket.holders.len()),
        queued: socket.queued,
        queue_limit: socket.queue_limit.unwrap_or_default(),
        oldest_wait_seconds: socket.longest_wait().map(seconds),
    }
}

/// One look does not say how fast it grows.
fn descriptors(table: Descriptors) -> record::Descriptors {
    record::Descriptors {
        used: table.used,
        sockets: table.sockets,
        limit: table.limit,
        lasts_seconds: None,
    }
}

fn summary(listing: &Listing, rows_hidden: u64) -> ListSummary {
    let inventory = &listing.inventory;
    let total = inventory.total();
    ListSummary {
        connections: total.total(),
        phases: counts(&total),
        listeners: inventory.listeners.len() as u64,
        rows_hidden,
        untracked: inventory.untracked,
        undecided: inventory.undecided,
        unread_unaccepted: inventory.unread_unaccepted(),
        source: listing.source.to_owned(),
        degraded: listing.degraded.clone(),
    }
}

fn counts(counts: &Counts) -> PhaseCounts {
    let Counts {
        connecting,
        unaccepted,
        given_up,
        held,
    } = *counts;
    PhaseCounts {
        connecting,
        unaccepted,
        given_up,
        open: held.open,
        half_closed_remote: held.half_closed_remote,
        half_closed_local: held.half_closed_local,
        dead_held: held.dead_held,
    }
}

pub(super) fn phase_name(phase: Phase) -> PhaseName {
    match phase {
        Phase::Connecting => PhaseName::Connecting,
        Phase::Unaccepted { .. } => PhaseName::Unaccepted,
        Phase::Open => PhaseName::Open,
        Phase::HalfClosedRemote => PhaseName::HalfClosedRemote,
        Phase::HalfClosedLocal => PhaseName::HalfClosedLocal,
        // Only events tell a failed attempt from a dead connection: a snapshot finds a socket in state CLOSE.
        Phase::DeadHeld | Phase::Failed(_) | Phase::Released => PhaseName::DeadHeld,
    }
}

fn beyond_named(all: usize) -> u64 {
    all.saturating_sub(NAMED) as u64
}
