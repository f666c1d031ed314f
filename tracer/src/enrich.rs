//! What is known of processes beside their connections: command line, systemd unit, container.
//!
//! [`cgroup`] is pure, [`facts`] reads `/proc` and remembers.

pub mod cgroup;
pub mod facts;
