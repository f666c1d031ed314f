//! What is read in one pass, before it is joined.

use super::diag::Socket;
use crate::model::{connection::ProcessId, name::Comm, time::Time};

/// The TCP sockets of a network namespace.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// Inode number of the namespace.
    pub netns: u32,
    /// When the last of them was read.
    pub at: Time,
    /// They.
    pub sockets: Vec<Socket>,
}

/// The descriptors of a process.
#[derive(Clone, Debug)]
pub struct Table {
    /// Whose.
    pub process: ProcessId,
    /// That process's name.
    pub comm: Comm,
    /// Descriptors in use.
    pub used: u32,
    /// Soft limit on them.
    pub limit: Option<u64>,
    /// Those that are TCP sockets.
    pub sockets: Vec<Descriptor>,
    /// When they were read.
    pub at: Time,
}

/// A descriptor that is a TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub fd: u32,
    /// Inode number of the socket.
    pub inode: u64,
}

/// Everything that was read in one pass.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// When the pass began.
    pub began: Time,
    /// Sockets, one entry per namespace.
    pub dumps: Vec<Dump>,
    /// Descriptors, one entry per process that holds any TCP socket.
    pub tables: Vec<Table>,
    /// Processes whose descriptors could not be read.
    pub unreadable: u64,
}
