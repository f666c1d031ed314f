//! What a detector says.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::evidence::{Exhaustion, Leak};
use crate::model::{
    connection::{PeerKey, ProcessId},
    name::Comm,
    snapshot::{Descriptors, ListenerId},
    time::Time,
};

/// A rule that finds. What a finding says may change while it lasts, who found it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// [`survivors`](super::survivors), or [`row`](super::row).
    Growth,
    /// [`stall`](super::stall).
    Stall,
    /// A process nears its descriptor limit.
    Limit,
}

/// Stable identity of a finding for as long as the tracer runs. Each rule numbers its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId {
    /// Who found it.
    pub rule: Rule,
    /// From 1, in the order of opening.
    pub number: u64,
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            Rule::Growth => "leak",
            Rule::Stall => "stall",
            Rule::Limit => "limit",
        };
        write!(f, "{rule}-{}", self.number)
    }
}

/// Why a finding is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is new.
    Opened,
    /// There is real news: it is surer, twice as many, an hour from the limit, or the queue is full by now.
    Updated,
    /// It is over.
    Resolved(Resolution),
}

/// How a finding ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// At least half of the connections that were open at the peak have closed.
    Drained,
    /// The server takes connections from its queue again.
    AcceptingAgain,
    /// Nobody holds the listening socket any more.
    ListenerGone,
    /// The process has exited.
    ProcessExited,
    /// The peer closed most of them, and the process let go.
    ClosedByPeer,
    /// As many as open close again, at the age at which none did.
    Balanced,
    /// They are still there, but have not grown for long.
    Plateaued,
    /// There is room below the limit again.
    Relieved,
}

/// Something that is wrong, or was.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which.
    pub id: FindingId,
    /// Why now.
    pub stage: Stage,
    /// The process that it is about.
    pub process: ProcessId,
    /// Its name.
    pub comm: Comm,
    /// Inode number of the network namespace of the sockets; `None` if none of them is left to ask.
    pub netns: Option<u32>,
    /// What is wrong.
    pub kind: Kind,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Connections pile up.
    Leak(Box<Leak>),
    /// A server does not accept.
    Stalled(Stalled),
    /// A process nears its descriptor limit.
    Exhaustion(Exhaustion),
}

/// A server that does not accept, or did not. The finding's process stands for all that hold the listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// The listening socket.
    pub listener: ListenerId,
    /// Where it listens.
    pub local: SocketAddr,
    /// Processes that hold it.
    pub holders: u32,
    /// Of these, those at their descriptor limit.
    pub holders_at_limit: u32,
    /// Whether all that accept are, as far as their tables are known: then accept fails with `EMFILE`.
    pub at_limit: bool,
    /// The finding's process's table, if known.
    pub descriptors: Option<Descriptors>,
    /// Where most of the connections lead that this process holds, and how many, the most first:
    /// [`Stalled::GROUPS`] at most.
    pub held: Vec<(PeerKey, u32)>,
    /// The queue.
    pub queue: Queue,
    /// The most that waited since the finding opened.
    pub peak: u32,
    /// How long the same connection has been known to be the first: at least that long nothing was accepted.
    pub stuck_for: Duration,
    /// Since when the one that was first as the finding opened has waited.
    pub since: Time,
}

impl Stalled {
    /// Groups of connections that are named.
    pub const GROUPS: usize = 5;
}

/// An accept queue, as it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Connections that wait in it.
    pub length: u32,
    /// How many may, if that is known.
    pub limit: Option<u32>,
    /// How long the first has waited.
    pub waited: Duration,
    /// Connections that were looked at: the first ones, where the queue is long.
    pub examined: u32,
    /// Of these, those whose client has closed or reset them meanwhile.
    pub given_up: u32,
    /// Who sent most of them, and how many, the most first: [`Queue::PEERS`] at most.
    pub peers: Vec<(IpAddr, u32)>,
    /// Of these, those of other peers.
    pub elsewhere: u32,
}

impl Queue {
    /// Peers that are named.
    pub const PEERS: usize = 5;

    /// Whether the kernel lets nobody else in (`sk_acceptq_is_full`, `include/net/sock.h`).
    pub fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.length > limit)
    }
}
