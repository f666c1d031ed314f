//! Rows of a snapshot: what the iterator program writes, one after the other.
//!
//! A snapshot says who holds which socket now. It is the truth about descriptors; the events are the truth about time.
//! Every row starts with its kind, so a reader knows its length. The rows of a listener's queue follow the row of the
//! listener; the row of a process follows those of its descriptors.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::COMM_LEN;

/// Which row it is; its first four bytes.
pub mod kind {
    /// [`HeldRow`](super::HeldRow).
    pub const HELD: u32 = 1;
    /// [`WaitingRow`](super::WaitingRow).
    pub const WAITING: u32 = 2;
    /// [`ProcessRow`](super::ProcessRow).
    pub const PROCESS: u32 = 3;
}

/// One descriptor that holds a TCP socket. A socket that is held twice has two rows with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeldRow {
    /// [`kind::HELD`].
    pub kind: u32,
    /// The descriptor.
    pub fd: u32,
    /// Time of the row, nanoseconds of `CLOCK_BOOTTIME`.
    pub ts: u64,
    /// `jiffies64` at that time, the unit of the two times below.
    pub jiffies: u64,
    /// Identity of the connection; 0 for listeners and for what the socket table had no room for.
    pub id: u64,
    /// Inode number of the socket's file.
    pub inode: u64,
    /// Start time of the process, nanoseconds of `CLOCK_BOOTTIME`.
    pub start: u64,
    /// Application bytes sent and acknowledged so far.
    pub bytes_acked: u64,
    /// Application bytes received so far.
    pub bytes_received: u64,
    /// Low half of `jiffies64` when data was last sent; when the connection was established, if none was.
    pub last_sent: u32,
    /// Low half of `jiffies64` when data was last received; when the connection was established, if none was.
    pub last_received: u32,
    /// Process id in the initial PID namespace.
    pub tgid: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Connections that wait to be accepted, and how many may; of listeners, else 0.
    pub backlog: u32,
    /// See [`backlog`](Self::backlog).
    pub max_backlog: u32,
    /// Local port, host order; 0 if the socket has none.
    pub local_port: u16,
    /// Remote port, host order.
    pub remote_port: u16,
    /// TCP state, one of [`tcp`](crate::socket::tcp).
    pub state: u8,
    /// Always zero.
    pub reserved: [u8; 3],
    /// Local address, network order; IPv4 as IPv4-mapped IPv6.
    pub local: [u8; 16],
    /// Remote address, network order; IPv4 as IPv4-mapped IPv6.
    pub remote: [u8; 16],
    /// Name of the process's main thread, NUL-padded, any bytes.
    pub comm: [u8; COMM_LEN],
}

/// A connection in the accept queue of the listener whose row came before: the kernel has completed it, no process has
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct WaitingRow {
    /// [`kind::WAITING`].
    pub kind: u32,
    /// Low half of `jiffies64` when the connection was established: nobody can have sent anything on it.
    pub last_sent: u32,
    /// Identity of the connection; 0 if the socket table had no room for it.
    pub id: u64,
    /// Remote port, host order.
    pub remote_port: u16,
    /// TCP state, one of [`tcp`](crate::socket::tcp).
    pub state: u8,
    /// Always zero.
    pub reserved: [u8; 5],
    /// Local address, network order; IPv4 as IPv4-mapped IPv6.
    pub local: [u8; 16],
    /// Remote address, network order; IPv4 as IPv4-mapped IPv6.
    pub remote: [u8; 16],
}

/// The descriptor table of a process that has one of the rows above. Threads that do not share their process's table
/// have rows of their own, with the same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProcessRow {
    /// [`kind::PROCESS`].
    pub kind: u32,
    /// Process id in the initial PID namespace.
    pub tgid: u32,
    /// Time of the first descriptor, nanoseconds of `CLOCK_BOOTTIME`.
    pub ts: u64,
    /// Start time of the process, nanoseconds of `CLOCK_BOOTTIME`.
    pub start: u64,
    /// Soft limit of descriptors (`RLIMIT_NOFILE`).
    pub limit: u64,
    /// Descriptors in use.
    pub descriptors: u32,
    /// Of these, TCP sockets that are connected or listen.
    pub sockets: u32,
    /// Name of the process's main thread, NUL-padded, any bytes.
    pub comm: [u8; COMM_LEN],
}

/// Connections of one queue that are told, at most: so many rows, and those around them, fit the 32 KiB that the kernel
/// gives one descriptor to fill (`bpf_seq_read`, `kernel/bpf/bpf_iter.c`).
pub const QUEUE_ROWS: u32 = 512;

const _: () = {
    assert!(size_of::<HeldRow>() == 144);
    assert!(size_of::<WaitingRow>() == 56);
    assert!(size_of::<ProcessRow>() == 56);
    let fullest =
        QUEUE_ROWS as usize * size_of::<WaitingRow>() + size_of::<HeldRow>() + size_of::<ProcessRow>();
    assert!(fullest < 8 * 4096);
};
