//! Measures what tracing costs.

mod kernel;
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
        Bench::User { args } => user::run(&args),
    }
}
