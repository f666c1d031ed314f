//! Which connections.

use std::ops::RangeInclusive;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::cli::values::{comm, peer, pid, port_range};

/// Options that say which connections. Those of one kind add up, kinds combine.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Which connections")]
pub struct Filters {
    /// Only this service port, or a range like 8000-8100; may be repeated
    #[arg(long, value_name = "PORT", value_parser = port_range)]
    pub port: Vec<RangeInclusive<u16>>,
    /// Only this process; may be repeated
    #[arg(long, value_name = "PID", value_parser = pid)]
    pub pid: Vec<u32>,
    /// Only processes of this name (the kernel keeps its first 15 bytes); may be repeated
    #[arg(long, value_name = "NAME", value_parser = comm)]
    pub comm: Vec<String>,
    /// Only this remote address or prefix, like 10.0.0.0/8; may be repeated
    #[arg(long, value_name = "CIDR", value_parser = peer)]
    pub peer: Vec<IpNet>,
    /// Only one direction
    #[arg(long, value_enum)]
    pub direction: Option<DirectionChoice>,
}

/// A choice of direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DirectionChoice {
    /// Connections that local processes start
    Outbound,
    /// Connections that local processes accept
    Inbound,
}
