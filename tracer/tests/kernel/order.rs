//! What a test tells a test program to do, and what it answers: one JSON line each.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A socket of a test program: its place in the program's table.
pub type SocketId = usize;

/// One thing to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Make a socket and give it an address, no more: connecting to it is refused.
    Bind { address: SocketAddr, kind: Kind },
    /// Let connections in.
    Listen { socket: SocketId, backlog: i32 },
    /// Take connections, by accept and accept4 in turn.
    Accept { listener: SocketId, count: usize },
    /// Take connections until no descriptor is left for another: that many must be waiting.
    AcceptUntilFull { listener: SocketId },
    /// Connect, and hold the connections.
    Connect {
        to: SocketAddr,
        from: Option<SocketAddr>,
        count: usize,
    },
    /// The same in a thread of another name.
    ConnectInThread {
        name: String,
        to: SocketAddr,
        count: usize,
    },
    /// Connect with data in the SYN, and hold the connection (TCP Fast Open).
    ConnectFast { to: SocketAddr },
    /// Try to connect, and hold the socket whatever comes of it.
    Attempt { to: SocketAddr, nonblocking: bool },
    /// Try to connect a socket that is there already.
    Retry { socket: SocketId, to: SocketAddr },
    /// Dissolve the connection, keep the socket: connect to `AF_UNSPEC`.
    Disconnect { socket: SocketId },
    /// Shut both directions down, keep the sockets.
    ShutDown { sockets: Vec<SocketId> },
    /// Close with a reset.
    Reset { sockets: Vec<SocketId> },
    /// Close.
    Close { sockets: Vec<SocketId> },
    /// Connect and close at once, each thread to all addresses in turn.
    ChurnConnect {
        to: Vec<SocketAddr>,
        /// From so many addresses in turn, this one and those after it.
        from: Option<(Ipv4Addr, usize)>,
        each: usize,
        threads: usize,
    },
    /// Accept and close at once.
    ChurnAccept {
        listener: SocketId,
        each: usize,
        threads: usize,
    },
    /// Start threads that take `each` connections one after the other; the answer comes when all are blocked.
    BlockInAccept {
        listener: SocketId,
        each: usize,
        threads: usize,
    },
    /// Wait until those threads have what they were to take.
    Unblocked,
    /// Start a program that inherits these sockets.
    Share { sockets: Vec<SocketId> },
    /// End those programs.
    Bury,
    /// Let other programs send sockets.
    OpenMailbox,
    /// Send these sockets to another program's mailbox, and keep them.
    Send { to: u32, sockets: Vec<SocketId> },
    /// Take sockets out of the mailbox.
    Receive { count: usize },
    /// Allow no descriptor of this number or above.
    LimitDescriptors { limit: u64 },
    /// Move to a network namespace of its own, which has loopback only.
    Isolate,
    /// Start programs from now on in a PID namespace of their own.
    IsolateChildren,
    /// Run a command, in this program's namespaces.
    Run { command: Vec<String> },
    /// Become another program, this same one without a name of its own.
    Exec,
}

/// What kind of socket to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// An ordinary one.
    Plain,
    /// One that shares its address with others of its kind (`SO_REUSEPORT`).
    Shared,
    /// One of Multipath TCP.
    Multipath,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The program has started.
    Ready,
    /// Done.
    Done,
    /// These sockets were made, or tried.
    Sockets(Vec<End>),
    /// A program of this id was started.
    Started(u32),
    /// It could not be done.
    Failed(String),
}

/// One end of a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// Which socket.
    pub id: SocketId,
    /// Its address.
    pub local: SocketAddr,
    /// The other end, if connected.
    pub peer: Option<SocketAddr>,
    /// Why connecting failed; 0 if it did not.
    pub errno: i32,
}
