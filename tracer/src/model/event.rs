//! What the ledger is told.

use std::net::SocketAddr;

use super::{
    connection::{ConnectionId, Direction, GroupKey, Peer, ProcessId},
    name::Comm,
    stack::Opener,
    time::Time,
};

/// Something happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// To which.
    pub id: ConnectionId,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A process opened a connection.
    Opened(Opening),
    /// The TCP state changed.
    State(StateChange),
    /// The process let go.
    Released {
        /// Whether the socket was connected at that moment; tells a connection whose establishment was missed from an
        /// attempt that was given up.
        connected: bool,
    },
    /// Nothing is left of it.
    Ended(EndCause),
}

/// How a connection opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// By which process.
    pub process: ProcessId,
    /// Its name.
    pub comm: Comm,
    /// Connected or accepted.
    pub direction: Direction,
    /// Whether the SYN is only being sent.
    pub connecting: bool,
    /// This end; port 0 while the kernel has not chosen one.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// By which code.
    pub stack: Opener,
}

impl Opening {
    /// Where it is counted while there is room.
    pub fn group(&self) -> GroupKey {
        GroupKey {
            process: self.process,
            direction: self.direction,
            peer: Peer::Address(self.peer.ip()),
            service_port: self.service_port(),
        }
    }

    /// The server's port.
    pub fn service_port(&self) -> u16 {
        match self.direction {
            Direction::Outbound => self.peer.port(),
            Direction::Inbound => self.local.port(),
        }
    }
}

/// A change of TCP state that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// The handshake of an outbound connection is done.
    Established {
        /// The port that the kernel chose; 0 if already known.
        local_port: u16,
    },
    /// The peer closed.
    PeerClosed,
    /// We sent FIN without closing (`shutdown`).
    ShutDown,
    /// TCP state CLOSE.
    Closed {
        /// `sk_err`: positive errno, or 0.
        error: u16,
    },
}

/// How the end of a connection was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// The kernel destroyed the socket.
    Destroyed,
    /// The socket started another connection.
    Reconnected,
    /// The kernel reused the socket's memory; the end itself was missed.
    Unobserved,
}
