//! What crosses the boundary between the kernel programs and user space: record layouts, map and program
//! names, the kernel fields whose offsets user space must supply, and the loss counters.
//!
//! And how the kernel side's table of sockets is read and written, which is here because here it can be tested.
//!
//! All else is plain data: `no_std`, no dependency on either side, so that both sides compile the same
//! definitions. Layout rules: `repr(C)`, no implicit padding (`zerocopy::IntoBytes` proves it at compile time),
//! native byte order except ports and addresses, which are stored as documented on the field.

#![no_std]

pub mod counter;
pub mod event;
pub mod layout;
pub mod names;
pub mod snapshot;
pub mod socket;
pub mod stack;
pub mod table;
