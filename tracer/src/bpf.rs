//! Getting the kernel programs to run, and knowing what they cover.
//!
//! [`plan`] decides (pure), [`object`] prepares the object, [`attach`] loads and attaches single programs,
//! [`session`] tries backends until one works and owns what is attached, [`selftest`] checks that what the
//! programs report is true, [`preflight`] asks what this process may do.

pub mod attach;
pub mod coverage;
pub mod environment;
pub mod filter;
pub mod misses;
pub mod object;
pub mod plan;
pub mod preflight;
mod probe_link;
pub mod selftest;
pub mod session;
pub mod snapshot;
pub mod stacks;
