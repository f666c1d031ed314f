//! Snapshots without BPF iterators: `sock_diag` says which TCP sockets there are, `/proc/PID/fd` who holds them.
//!
//! `/proc` knows sockets by inode number alone, so the two are joined by it. The join is pure ([`join`], over [`diag`],
//! [`tables`], [`identity`], [`queues`]); [`netlink`], [`namespaces`] and [`walk`] read; [`reader`] puts it together.
//!
//! The sockets are read before the descriptors: what is held then and was in no dump has left it, or is newer than it.
//! What cannot be known this way is told in `docs/limitations.md`.

pub mod diag;
pub mod identity;
pub mod join;
pub mod namespaces;
pub mod netlink;
pub mod queues;
pub mod reader;
pub mod tables;
pub mod walk;
