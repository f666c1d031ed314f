//! What can be typed behind `tracer list`.

use std::{path::PathBuf, time::Duration};

use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};

use super::{Args, DirectionChoice, Filters, SnapshotChoice};
use crate::{
    bpf::environment::VMLINUX_BTF,
    cli::values::{count, span},
};

/// Options of `tracer list`.
#[derive(Debug, Parser)]
#[command(
    after_help = "Filters combine: a connection is listed if it matches one value of every kind given; \
                  of several holders one is enough.\n\
                  Ages are lower bounds: nothing in the kernel says when a connection opened."
)]
pub struct List {
    /// One line for each of these
    #[arg(long, value_enum, default_value_t = By::Peer)]
    pub by: By,
    /// With --by stack: watch for so long; default: 10s
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    pub watch_for: Option<Duration>,
    /// One line for each connection, the oldest first
    #[arg(long, conflicts_with = "by")]
    pub all: bool,
    /// Which connections.
    #[command(flatten)]
    pub filters: Filters,

    /// How to print
    #[arg(long, value_enum, default_value_t = ListOutput::Text, help_heading = "Output")]
    pub output: ListOutput,
    /// Print no more rows than this; default: all
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Output")]
    pub rows: Option<u64>,

    /// Connections that can be read; what is beyond is counted, not listed
    #[arg(long, value_name = "N", default_value = "131072", value_parser = count, help_heading = "Kernel")]
    pub max_connections: u64,
    /// How to read the kernel's descriptor tables
    #[arg(long, value_enum, default_value_t = SnapshotChoice::Auto, help_heading = "Kernel")]
    pub snapshots: SnapshotChoice,
    /// The kernel's type information
    #[arg(long, value_name = "PATH", default_value = VMLINUX_BTF, help_heading = "Kernel")]
    pub btf: PathBuf,
}

/// How long is watched, unless told otherwise.
const WATCH: Duration = Duration::from_secs(10);

impl List {
    /// How long to watch who opens what.
    pub fn watch_for(&self) -> Duration {
        self.watch_for.unwrap_or(WATCH)
    }

    /// What clap cannot see: that a value of one option rules out a value of another.
    ///
    /// # Errors
    /// When one does.
    pub fn validated(self) -> Result<Self, clap::Error> {
        let message = if self.by != By::Stack && !matches!(self.output, ListOutput::Text | ListOutput::Json) {
            "'--output folded' and 'flamegraph' can be used with '--by stack' only: they are made of stacks"
        } else if self.by != By::Stack && self.watch_for.is_some() {
            "'--for' can be used with '--by stack' only: everything else is known from one look"
        } else if self.by == By::Listener && self.filters.direction == Some(DirectionChoice::Outbound) {
            "'--by listener' cannot be used with '--direction outbound': nobody listens for these"
        } else {
            return Ok(self);
        };
        let mut command = Args::command();
        command.build();
        Err(match command.find_subcommand_mut("list") {
            Some(list) => list.error(ErrorKind::ArgumentConflict, message),
            None => command.error(ErrorKind::ArgumentConflict, message),
        })
    }
}

/// A format of what is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    /// For people
    Text,
    /// For programs: a JSON object per line; `tracer schema` describes them
    Json,
    /// With --by stack: a line per stack, for flame graph tools
    Folded,
    /// The same as a picture, SVG: the wider, the more connections
    #[cfg(feature = "flamegraph")]
    Flamegraph,
}

/// What makes connections share a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Remote address and service port
    Peer,
    /// Process that holds them
    Process,
    /// Phase
    State,
    /// Listening socket, those without connections included; inbound connections only
    Listener,
    /// Code that opened them: watches for a while (--for), and lists what opened then and is still open
    Stack,
}
