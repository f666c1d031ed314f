//! Which connections and listening sockets a filter means. The kernel programs are not asked: they judge a connection
//! when it opens, and these are judged by whoever holds them now.

use std::{collections::HashSet, net::IpAddr};

use ipnet::IpNet;

use crate::{
    bpf::filter::Filter,
    model::{
        connection::{Direction, ProcessId},
        inventory::{Inventory, Listed},
        listener::ListeningSocket,
        name::Comm,
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
    service(filter, listed.direction, listed.service_port())
        && (filter.peers.is_empty() || filter.peers.iter().any(|net| contains(net, listed.peer.ip())))
        && (means_all_processes(filter) || holders.any(|holder| process(filter, holder.process, holder.comm)))
}

/// The same. A listening socket has no peer: where some are wanted it must have connections of theirs, or may have
/// among those in its queue that were not read.
fn listener(filter: &Filter, socket: &ListeningSocket, connected: &HashSet<ListenerId>) -> bool {
    let may_have =
        || connected.contains(&socket.id) || u64::from(socket.queued) > socket.waiting.len() as u64;
    let mut holders = socket.holders.iter();
    service(filter, Direction::Inbound, socket.local.port())
        && (filter.peers.is_empty() || may_have())
        && (means_all_processes(filter) || holders.any(|(id, comm)| process(filter, *id, *comm)))
}

fn service(filter: &Filter, direction: Direction, port: u16) -> bool {
    filter.direction.is_none_or(|wanted| wanted == direction)
        && (filter.ports.is_empty() || filter.ports.iter().any(|ports| ports.contains(&port)))
}

fn means_all_processes(filter: &Filter) -> bool {
    filter.pids.is_empty() && filter.comms.is_empty()
}

fn process(filter: &Filter, id: ProcessId, comm: Comm) -> bool {
    let mut names = filter.comm_keys().map(Comm::new);
    (filter.pids.is_empty() || filter.pids.contains(&id.pid))
        && (filter.comms.is_empty() || names.any(|name| name.bytes() == comm.bytes()))
}

/// Prefixes of IPv6 take IPv4 addresses in their mapped form, as in the kernel programs.
fn contains(net: &IpNet, address: IpAddr) -> bool {
    match (net, address) {
        (IpNet::V6(net), IpAddr::V4(address)) => net.contains(&address.to_ipv6_mapped()),
        (net, address) => net.contains(&address),
    }
}

#[cfg(test)]
mod tests;
