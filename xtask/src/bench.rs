//! Measures what tracing costs.

mod churn;
mod kernel;
mod start;
mod user;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use kernel::gate;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The instructions that tracing adds to a connection, on distribution kernels in QEMU
    Kernel(kernel::Settings),
    /// Connections on this machine, with the tracer beside them and without: throughput, and what is lost
    Churn(churn::Settings),
    /// From start to a complete list, with many open sockets
    Start(start::Settings),
    /// Hold connections until stdin ends
    #[command(hide = true)]
    Hold {
        /// How many
        connections: u32,
    },
    /// The user side: events, ticks, snapshots, replays, memory
    #[command(disable_help_flag = true)]
    User {
        /// Arguments of the benchmark; --help shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Measures it. The exit code is ours.
pub(crate) fn run(bench: Bench) -> Result<ExitCode> {
    match bench {
        Bench::Kernel(settings) => kernel::run(&settings).map(|()| ExitCode::SUCCESS),
        Bench::Churn(settings) => churn::run(&settings).map(|()| ExitCode::SUCCESS),
        Bench::Start(settings) => start::run(&settings).map(|()| ExitCode::SUCCESS),
        Bench::Hold { connections } => start::hold(connections).map(|()| ExitCode::SUCCESS),
        Bench::User { args } => user::run(&args),
    }
}
