//! Rows of a snapshot: what the iterator programs write, one after the other.
//!
//! A snapshot says who holds which socket now. It is the truth about descriptors; the events are the truth about time.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::COMM_LEN;

/// One descriptor that holds a TCP socket. A socket that is held twice has two rows with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeldRow {
    /// Time of the row, nanoseconds of `CLOCK_BOOTTIME`.
    pub ts: u64,
    /// `jiffies64` at that time, the unit of the two times below.
    pub jiffies: u64,
    /// Identity of the connection; 0 for listeners and for what the socket table had no room for.
    pub id: u64,
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
    /// The descriptor.
    pub fd: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Local port, host order; 0 if the socket has none.
    pub local_port: u16,
    /// Remote port, host order.
    pub remote_port: u16,
    /// Connections that wait to be accepted, and how many may; of listeners, else 0.
    pub backlog: u32,
    /// See [`backlog`](Self::backlog).
    pub max_backlog: u32,
    /// TCP state, one of [`tcp`](crate::socket::tcp).
    pub state: u8,
    /// Always zero.
    pub reserved: [u8; 7],
    /// Local address, network order; IPv4 as IPv4-mapped IPv6.
    pub local: [u8; 16],
    /// Remote address, network order; IPv4 as IPv4-mapped IPv6.
    pub remote: [u8; 16],
    /// Name of the process's main thread, NUL-padded, any bytes.
    pub comm: [u8; COMM_LEN],
}

/// Length of a row in bytes.
pub const ROW_BYTES: u32 = 136;

const _: () = assert!(size_of::<HeldRow>() == ROW_BYTES as usize);
