//! `tracer replay`.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::Parser;

use super::{Detection, Filters, ReplayOutput};
use crate::{
    cli::values::{count, factor, span},
    recording::wall,
};

/// Options of `tracer replay`.
#[derive(Debug, Parser)]
pub struct Replay {
    /// Recordings, `-` for stdin; several are one recording, in the order in which they began
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Recorded time that passes in a second; default: as fast as it can
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub speed: Option<f64>,
    /// Stop there: a moment like 2026-11-22T14:00:00Z, or a time from the beginning like 90m
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub until: Option<Until>,

    /// What to look at.
    #[command(flatten)]
    pub filters: Filters,
    /// When to alert.
    #[command(flatten)]
    pub detection: Detection,

    /// How to print
    #[arg(long, value_enum, default_value_t = ReplayOutput::Text, help_heading = "Output")]
    pub output: ReplayOutput,
    /// Print the table this often, by the recording's clock
    #[arg(long, value_name = "TIME", value_parser = span, help_heading = "Output")]
    pub interval: Option<Duration>,
    /// Rows of each part of the table
    #[arg(long, value_name = "N", default_value = "10", value_parser = count, help_heading = "Output")]
    pub rows: u64,
    /// Show every frame of the code that opened what a finding is about, those of libraries too
    #[arg(long, help_heading = "Output")]
    pub full_stacks: bool,
    /// Connections tracked at once; more are counted, not tracked
    #[arg(long, value_name = "N", default_value = "131072", value_parser = count, help_heading = "Limits")]
    pub max_connections: u64,
    /// Groups, processes and peers kept apart; more are counted under `other`
    #[arg(long, value_name = "N", default_value = "16384", value_parser = count, help_heading = "Limits")]
    pub max_groups: u64,
}

/// Where a replay stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// At that time by the wall clock.
    Moment(SystemTime),
    /// So long after the beginning.
    Span(Duration),
}

fn until(text: &str) -> Result<Until, String> {
    if let Some(moment) = wall::parse(text) {
        return Ok(Until::Moment(moment));
    }
    span(text).map(Until::Span).map_err(|_| {
        "it is a moment like 2026-11-22T14:00:00Z, or a time from the beginning like 30s or 90m".to_owned()
    })
}
