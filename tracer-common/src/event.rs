//! Records that the kernel programs put into the ring buffer.
//!
//! Each record starts with the same 20 bytes ([`Change`] up to `kind`), so a reader can take the kind before it
//! knows the length. Byte order is native: writer and reader run on the same machine.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Length of a task name, the terminating NUL included (`TASK_COMM_LEN` in `include/linux/sched.h`).
pub const COMM_LEN: usize = 16;

/// Which record follows; the byte at [`KIND_OFFSET`].
pub mod kind {
    /// A process opened a connection: [`Opened`](super::Opened) follows.
    pub const OPENED: u8 = 1;
    /// The TCP state of a tracked connection changed: [`Change`](super::Change) follows.
    pub const STATE: u8 = 2;
    /// The process let the connection go (`tcp_close`): [`Change`](super::Change) follows. The last record of a
    /// connection, apart from a change of state that another CPU was about to report.
    pub const RELEASED: u8 = 3;
    /// The kernel destroyed a socket whose release was not reported: [`Change`](super::Change) follows.
    pub const ENDED: u8 = 4;
    /// A stack that was not known yet: [`StackRecord`](crate::stack::StackRecord) follows.
    pub const STACK: u8 = 5;
}

/// Bits of [`Opened::flags`].
pub mod flag {
    /// The opener is a kernel thread: there is no process to name.
    pub const KERNEL: u8 = 1;
}

/// Values of [`Change::cause`] in an [`ENDED`](kind::ENDED) record.
pub mod cause {
    /// The socket was destroyed.
    pub const DESTROYED: u8 = 0;
    /// The same socket started another connection (`connect` after a failure or after `AF_UNSPEC`).
    pub const RECONNECTED: u8 = 1;
    /// The kernel gave the socket's address to another connection before its end was seen.
    pub const UNOBSERVED: u8 = 2;
}

/// Offset of the kind byte in every record.
pub const KIND_OFFSET: usize = 16;

/// A process opened a connection: it connected (SYN about to be sent), or accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Opened {
    /// Time of the event, nanoseconds of `CLOCK_BOOTTIME`.
    pub ts: u64,
    /// Identity of the connection, never reused while the programs are loaded.
    pub id: u64,
    /// [`kind::OPENED`].
    pub kind: u8,
    /// One of [`direction`](crate::socket::direction).
    pub direction: u8,
    /// TCP state at that moment, one of [`tcp`](crate::socket::tcp).
    pub state: u8,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Process id (thread group id) of the opener in the initial PID namespace.
    pub tgid: u32,
    /// Start time of that process, nanoseconds of `CLOCK_BOOTTIME`.
    pub start: u64,
    /// Id of the stack that opened it; below [`FIRST_ID`](crate::stack::FIRST_ID) why there is none, one of
    /// [`missing`](crate::stack::missing).
    pub stack: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Local port, host order; 0 while the kernel has not chosen one.
    pub local_port: u16,
    /// Remote port, host order.
    pub remote_port: u16,
    /// Local address, network order; IPv4 as IPv4-mapped IPv6.
    pub local: [u8; 16],
    /// Remote address, network order; IPv4 as IPv4-mapped IPv6.
    pub remote: [u8; 16],
    /// Name of the opener's main thread, NUL-padded, any bytes.
    pub comm: [u8; COMM_LEN],
}

/// Something happened to a connection that an [`Opened`] record announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Change {
    /// Time of the event, nanoseconds of `CLOCK_BOOTTIME`.
    pub ts: u64,
    /// Identity given by the [`Opened`] record.
    pub id: u64,
    /// [`kind::STATE`], [`kind::RELEASED`] or [`kind::ENDED`].
    pub kind: u8,
    /// TCP state before ([`kind::STATE`]), or at the close ([`kind::RELEASED`], 0 if unknown); else 0.
    pub from: u8,
    /// TCP state after ([`kind::STATE`] only, else 0).
    pub to: u8,
    /// One of [`cause`] ([`kind::ENDED`] only, else 0).
    pub cause: u8,
    /// Local port, host order, in the change to ESTABLISHED; else 0.
    pub local_port: u16,
    /// `sk_err` in the change to CLOSE, a positive errno; else 0.
    pub error: u16,
}

const _: () = {
    assert!(size_of::<Opened>() == 96);
    assert!(size_of::<Change>() == 24);
    assert!(core::mem::offset_of!(Opened, kind) == KIND_OFFSET);
    assert!(core::mem::offset_of!(Change, kind) == KIND_OFFSET);
};
