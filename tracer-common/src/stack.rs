//! Which code opened a connection: user stacks.
//!
//! A stack is known by its content: its id is a keyed hash of process and addresses. So the same stack has the same id
//! whenever it is told, nobody has to agree on when an id is free again, and two stacks never share a slot of a table.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Frames that are told, at most, the innermost first.
pub const MAX_FRAMES: usize = 64;
/// Words on top of the stack that are told.
pub const WINDOW: usize = 16;
/// Entries of the table [`SLOTS`](crate::names::map::SLOTS): one per offset of an instruction in its page.
pub const SLOTS: u32 = 4096;
/// In place of a slot: the function has a frame of its own, no word on top of the stack is a return address.
pub const NO_SLOT: u8 = u8::MAX;

/// Ids below this are no ids, but reasons why there is no stack.
pub const FIRST_ID: u64 = 16;

/// Why a connection has no stack: values of [`Opened::stack`](crate::event::Opened::stack) below [`FIRST_ID`].
pub mod missing {
    /// Nobody asked for the stacks of this direction.
    pub const NOT_ASKED: u64 = 0;
    /// There was no user stack: a kernel thread, or a worker of `io_uring`.
    pub const NO_USER_STACK: u64 = 1;
    /// The table of stacks was full.
    pub const TABLE_FULL: u64 = 2;
    /// The ring buffer was full.
    pub const RING_FULL: u64 = 3;
}

/// Values of the global [`STACKS`](crate::names::global::STACKS).
pub mod wanted {
    /// None.
    pub const NONE: u8 = 0;
    /// Those of processes that connect.
    pub const OUTBOUND: u8 = 1;
    /// Those of processes that accept, too.
    pub const ALL: u8 = 2;
}

/// A stack that was not known yet, in the ring buffer. It ends after `count` frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StackRecord {
    /// Time of the event, nanoseconds of `CLOCK_BOOTTIME`.
    pub ts: u64,
    /// Id of the stack.
    pub id: u64,
    /// [`kind::STACK`](crate::event::kind::STACK).
    pub kind: u8,
    /// Index of the word of the window that is part of the identity; [`NO_SLOT`] if none is.
    pub slot: u8,
    /// Frames that follow.
    pub count: u16,
    /// Process id in the initial PID namespace.
    pub tgid: u32,
    /// Start time of that process, nanoseconds of `CLOCK_BOOTTIME`.
    pub start: u64,
    /// The words on top of the stack; zeros if they could not be read.
    pub window: [u64; WINDOW],
    /// Addresses: the instruction after the system call, then what the chain of frame pointers leads to.
    pub frames: [u64; MAX_FRAMES],
}

/// Bytes of a [`StackRecord`] before its frames.
pub const HEAD: usize = core::mem::offset_of!(StackRecord, frames);

const _: () = {
    assert!(HEAD == 160);
    assert!(core::mem::offset_of!(StackRecord, kind) == crate::event::KIND_OFFSET);
};
