//! What can be typed.

mod detection;
mod filters;
mod list;
mod replay;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

pub use self::{
    detection::{Detection, SensitivityChoice},
    filters::{DirectionChoice, Filters},
    list::{By, List, ListOutput},
    replay::{Replay, Until},
};
use super::values::{byte_size, count, file_size, share, span};
use crate::bpf::environment::VMLINUX_BTF;

/// Watches TCP connections being opened and closed, and tells which process leaks them, to whom and how fast.
///
/// Alerts go to stdout, logs to stderr. On a terminal a table of what is open follows every ten seconds.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 ended normally; 1 runtime fault; 2 usage; 3 this kernel or these privileges do not \
                  allow tracing.\nFilters combine: a connection is watched if it matches one value of every kind given."
)]
pub struct Args {
    /// Something other than watching.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Watching.
    #[command(flatten)]
    pub watch: Watch,
}

/// Something other than watching.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what is open now, and who holds it
    ///
    /// One look at the descriptor tables of all processes, in all network namespaces; nothing is traced, but for `--by
    /// stack`.
    List(List),
    /// Replay what was recorded: the same findings, without privileges
    ///
    /// Reads recordings (docs/recording.md), and tells what a tracer that saw these events would have told, on the
    /// recording's clock, as fast as it can.
    Replay(Replay),
    /// Say what this kernel and these privileges allow
    Doctor(Doctor),
    /// Print the thresholds of detection, their units, and their values at each sensitivity
    Thresholds,
    /// Look stacks up for a tracer that asks over stdin
    #[command(hide = true)]
    Symbolize {
        /// Be the one that parses, for the one that opens files, over stdin
        #[arg(long)]
        parser: bool,
    },
    /// Print the JSON Schema of the `--output json` stream
    Schema,
}

/// Options of `tracer doctor`.
#[derive(Debug, Parser)]
pub struct Doctor {
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// The kernel's type information
    #[arg(long, value_name = "PATH", default_value = VMLINUX_BTF)]
    pub btf: PathBuf,
}

/// A format of stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs: a JSON object per line; `tracer schema` describes those of watching and listing
    Json,
}

/// A format of what a replay prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayOutput {
    /// Findings, for people
    Text,
    /// Findings and more, for programs: a JSON object per line
    Json,
    /// What is open at the end, by the code that opened it: a line per stack, for flame graph tools
    Folded,
    /// The same as a picture, SVG: the wider, the more connections
    #[cfg(feature = "flamegraph")]
    Flamegraph,
}

/// A choice of backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// The best that works
    Auto,
    /// Trampolines
    Fentry,
    /// Kprobes
    Kprobe,
    /// Tracepoints only
    Tracepoint,
}

/// A choice of stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StacksChoice {
    /// None
    Off,
    /// Of what connects
    Outbound,
    /// Of what accepts, too
    All,
}

/// A way to read who holds what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SnapshotChoice {
    /// The best that works
    Auto,
    /// A BPF iterator over the descriptor tables
    Iterator,
    /// /proc and `sock_diag`
    Proc,
}

/// Options of watching.
#[derive(Debug, Parser)]
pub struct Watch {
    /// What to watch.
    #[command(flatten)]
    pub filters: Filters,

    /// What counts as a finding.
    #[command(flatten)]
    pub detection: Detection,

    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Text, help_heading = "Output")]
    pub output: Output,
    /// Print the table this often; default: every 10s on a terminal, never elsewhere
    #[arg(long, value_name = "TIME", value_parser = span, help_heading = "Output")]
    pub interval: Option<Duration>,
    /// Rows of each part of the table
    #[arg(long, value_name = "N", default_value = "10", value_parser = count, help_heading = "Output")]
    pub rows: u64,
    /// Show every frame of the code that opened what a finding is about, those of libraries too
    #[arg(long, help_heading = "Output")]
    pub full_stacks: bool,
    /// Stop after this time
    #[arg(long, value_name = "TIME", value_parser = span, help_heading = "Output")]
    pub duration: Option<Duration>,

    /// Record what happens to this file, for `tracer replay`; it names addresses, processes and command lines
    #[arg(long, value_name = "PATH", help_heading = "Recording")]
    pub record: Option<PathBuf>,
    /// Put the file aside as PATH.1, PATH.2 and so on when it is larger than this
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = file_size, help_heading = "Recording")]
    pub record_size: u64,
    /// Delete the oldest files so that all are no larger than this together
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = file_size, help_heading = "Recording")]
    pub record_total: u64,

    /// Whose code to take: the stack that opened each connection
    #[arg(long, value_enum, default_value_t = StacksChoice::All, help_heading = "Kernel")]
    pub stacks: StacksChoice,
    /// Different stacks known at once; more are counted, not known
    #[arg(long, value_name = "N", default_value = "16384", value_parser = count, help_heading = "Kernel")]
    pub max_stacks: u64,
    /// The hooks to use
    #[arg(long, value_enum, default_value_t = BackendChoice::Auto, help_heading = "Kernel")]
    pub backend: BackendChoice,
    /// Size of the ring buffer, a power of two, like 4MiB
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = byte_size, help_heading = "Kernel")]
    pub ring_size: u32,
    /// Connections tracked at once; more are counted, not tracked
    #[arg(long, value_name = "N", default_value = "131072", value_parser = count, help_heading = "Kernel")]
    pub max_connections: u64,
    /// Groups, processes and peers kept apart; more are counted under `other`
    #[arg(long, value_name = "N", default_value = "16384", value_parser = count, help_heading = "Kernel")]
    pub max_groups: u64,
    /// Compare with the kernel's descriptor tables this often, and at once after a loss
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span, help_heading = "Kernel")]
    pub reconcile: Duration,
    /// How to read the kernel's descriptor tables
    #[arg(long, value_enum, default_value_t = SnapshotChoice::Auto, help_heading = "Kernel")]
    pub snapshots: SnapshotChoice,
    /// The kernel's type information
    #[arg(long, value_name = "PATH", default_value = VMLINUX_BTF, help_heading = "Kernel")]
    pub btf: PathBuf,
    /// Drop this share of the events, from 0 to 1, to see what losses do to the results
    #[arg(long, value_name = "RATE", default_value = "0", value_parser = share, help_heading = "Kernel")]
    pub simulate_loss: f64,
}
