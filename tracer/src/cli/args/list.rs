//! What can be typed behind `tracer list`.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};

use super::{Args, DirectionChoice, Filters, SnapshotChoice};
use crate::{bpf::environment::VMLINUX_BTF, cli::values::count};

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

impl List {
    /// What clap cannot see: that a value of one option rules out a value of another.
    ///
    /// # Errors
    /// When one does.
    pub fn validated(self) -> Result<Self, clap::Error> {
        let message = if self.by == By::Stack || self.output == ListOutput::Folded {
            "'--by stack' cannot be told by looking once: the kernel does not remember which code opened a connection. A \
             tracer that watches does: let one record (tracer --record FILE), and ask its recording, also while it runs \
             (tracer replay FILE --output folded)"
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
    /// Stacks and counts, of a recording only
    #[value(hide = true)]
    Folded,
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
    /// Code that opened them: only a recording knows, see `tracer replay --output folded`
    Stack,
}
