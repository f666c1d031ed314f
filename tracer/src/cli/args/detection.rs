//! What counts as a finding.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::values::{count, span, threshold};

/// How soon to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SensitivityChoice {
    /// Later, and surer
    Low,
    /// As measured in docs/detection.md
    Normal,
    /// Sooner, with more false alarms
    High,
}

/// Options of detection.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "When to alert")]
pub struct Detection {
    /// How soon to speak of a leak: sets all thresholds
    #[arg(long, value_enum, default_value_t = SensitivityChoice::Normal)]
    pub sensitivity: SensitivityChoice,
    /// Set one threshold, after --sensitivity; `tracer thresholds` lists them [may be repeated]
    #[arg(long, value_name = "NAME=VALUE", value_parser = threshold)]
    pub threshold: Vec<String>,
    /// Instead of judging what survives, alert when this many connections of a group opened in a row and none closed:
    /// a strict rule, for tests
    #[arg(long, value_name = "N", value_parser = count)]
    pub min_opened: Option<u64>,
    /// With --min-opened: time that such a row must span, what is shorter is a burst
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub min_span: Duration,
    /// With --min-opened: longest pause between two openings of a row, and after the last
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
