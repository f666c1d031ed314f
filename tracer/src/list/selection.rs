//! Which connections and listening sockets a filter means. The kernel programs are not asked: they judge a connection
//! when it opens, and these are judged by whoever holds them now.

use std::collections::HashSet;

use crate::{
    bpf::filter::Filter,
    model::{
        connection::Direction,
        inventory::{Inventory, Listed},
        listener::ListeningSocket,
        snapshot::ListenerId,
    },
};

/// Leaves what is meant.
pub fn apply(filter: &Filter, inventory: &mut Inventory) {
    inventory.connections.retain(|listed| connection(filter, listed));
    let connected: HashSet<ListenerId> = inventory
        .connections
        .iter()
        .filter_map(|listed| listed.listener)
        .collect();
    inventory
        .listeners
        .retain(|socket| listener(filter, socket, &connected));
}

/// One value of every kind matches.
fn connection(filter: &Filter, listed: &Listed) -> bool {
    let mut holders = listed.holders.iter();
    filter.means_service(listed.direction, listed.service_port())
        && filter.means_peer(listed.peer.ip())
        && (means_all_processes(filter)
            || holders.any(|holder| filter.means_process(holder.process, holder.comm)))
}

/// The same. A listening socket has no peer: where some are wanted it must have connections of theirs, or may have
/// among those in its queue that were not read.
fn listener(filter: &Filter, socket: &ListeningSocket, connected: &HashSet<ListenerId>) -> bool {
    let may_have =
        || connected.contains(&socket.id) || u64::from(socket.queued) > socket.waiting.len() as u64;
    let mut holders = socket.holders.iter();
    filter.means_service(Direction::Inbound, socket.local.port())
        && (filter.peers.is_empty() || may_have())
        && (means_all_processes(filter) || holders.any(|(id, comm)| filter.means_process(*id, *comm)))
}

fn means_all_processes(filter: &Filter) -> bool {
    filter.pids.is_empty() && filter.comms.is_empty()
}

#[cfg(test)]
mod tests;
