//! When to alert.

use std::time::Duration;

use clap::Args;

use crate::cli::values::{count, span};

/// Options that say when to alert: of watching, and of replaying what was watched.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "When to alert")]
pub struct Detection {
    /// Connections that must open in a row, none of their group closing
    #[arg(long, value_name = "N", default_value = "10", value_parser = count)]
    pub min_opened: u64,
    /// Time that such a row must span: what is shorter is a burst
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub min_span: Duration,
    /// Longest pause between two openings of a row, and after the last: longer, and the growth has stopped
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span)]
    pub window: Duration,
    /// Time that the first in a server's accept queue must have waited, nothing being accepted; 3s where the queue is
    /// full or the server at its descriptor limit
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub stall_wait: Duration,
    /// Connections that must wait in such a queue; one where it is full or the server at its descriptor limit
    #[arg(long, value_name = "N", default_value = "3", value_parser = count)]
    pub stall_waiting: u64,
}
