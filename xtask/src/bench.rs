//! Measures what tracing costs.

mod kernel;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use kernel::gate;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The instructions that tracing adds to a connection, on distribution kernels in QEMU
    Kernel(kernel::Settings),
}

/// Measures it.
pub(crate) fn run(bench: Bench) -> Result<ExitCode> {
    match bench {
        Bench::Kernel(settings) => kernel::run(&settings).map(|()| ExitCode::SUCCESS),
    }
}
