//! Whether a connection is worth tracking, decided once, when it opens.

use aya_ebpf::maps::lpm_trie::Key;
use tracer_common::{event::COMM_LEN, socket::direction};

use crate::{
    access::{Access, Probed},
    globals::{FILTER_COMMS, FILTER_DIR, FILTER_PEERS, FILTER_PIDS, FILTER_PORTS, SELF_TGID},
    maps::{COMMS, PEERS, PIDS, PORTS},
    sock::Sock,
    task::Task,
};

/// Whether the service port is watched.
#[inline(always)]
pub fn port(port: u16) -> bool {
    if FILTER_PORTS.load() == 0 {
        return true;
    }
    let port = u32::from(port);
    PORTS
        .get(port >> 6)
        .is_some_and(|word| word & (1 << (port & 63)) != 0)
}

/// Whether the service port alone decides.
#[inline(always)]
pub fn only_by_port() -> bool {
    FILTER_PIDS.load() == 0 && FILTER_COMMS.load() == 0 && FILTER_PEERS.load() == 0 && FILTER_DIR.load() == 0
}

/// Whether connections of this direction and service port are watched; cheap, so asked first. The tracer's own
/// connections are its self-test and pass everything.
#[inline(always)]
pub fn direction_and_port(tgid: u32, direction: u8, service_port: u16) -> bool {
    if tgid == SELF_TGID.load() {
        return true;
    }
    let wanted = FILTER_DIR.load();
    (wanted == 0 || wanted == direction) && port(service_port)
}

/// Whether this process and peer are watched. What no filter asks for is not even read: the branches are gone
/// after the verifier.
#[inline(always)]
pub fn process_and_peer<A: Access>(tgid: u32, sock: Sock<A>) -> bool {
    if tgid == SELF_TGID.load() {
        return true;
    }
    if FILTER_PIDS.load() != 0 && PIDS.get_ptr(tgid).is_none() {
        return false;
    }
    (FILTER_COMMS.load() == 0 || Task::current().is_some_and(|task| process_name(&task)))
        && (FILTER_PEERS.load() == 0 || peer(sock))
}

/// Whether a connection that `task` holds is watched, as far as that can be said: who opened it is not known, so neither
/// are its direction and its service port, and user space has the last word.
#[inline(always)]
pub fn held<A: Access>(task: &Task, tgid: u32, sock: Sock<A>) -> bool {
    if tgid == SELF_TGID.load() {
        return false;
    }
    if FILTER_PIDS.load() != 0 && PIDS.get_ptr(tgid).is_none() {
        return false;
    }
    let a_port_is_watched = || sock.accepted_port().is_some_and(port) || sock.remote_port().is_some_and(port);
    (FILTER_PORTS.load() == 0 || a_port_is_watched())
        && (FILTER_COMMS.load() == 0 || process_name(task))
        && (FILTER_PEERS.load() == 0 || peer(sock))
}

/// Whether what waits in the queue of a listener on `local_port`, held by `task`, is watched, whoever the peer is.
#[inline(always)]
pub fn queue(task: &Task, tgid: u32, local_port: u16) -> bool {
    direction_and_port(tgid, direction::INBOUND, local_port)
        && (FILTER_PIDS.load() == 0 || PIDS.get_ptr(tgid).is_some())
        && (FILTER_COMMS.load() == 0 || process_name(task))
}

#[inline(always)]
fn process_name(task: &Task) -> bool {
    let mut comm = [0_u64; COMM_LEN / 8];
    // SAFETY: a local variable can be written.
    if unsafe { task.comm(&raw mut comm) }.is_none() {
        return false;
    }
    COMMS.get_ptr(comm).is_some()
}

/// Whether the peer is watched.
#[inline(always)]
pub fn peer_of_queued(sock: Sock<Probed>) -> bool {
    FILTER_PEERS.load() == 0 || peer(sock)
}

#[inline(always)]
fn peer<A: Access>(sock: Sock<A>) -> bool {
    let Some(family) = sock.family() else { return false };
    let mut address = [0_u64; 2];
    // SAFETY: a local variable can be written.
    if unsafe { sock.remote(family, &raw mut address) }.is_none() {
        return false;
    }
    PEERS.get(Key::new(128, address)).is_some()
}
