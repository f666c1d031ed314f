//! Runs the benchmark of the user side, `xtask/bench`.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::program::{self, Linking};
use crate::{ebpf, paths, process};

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The user side: events, ticks, snapshots, replays, memory
    #[command(disable_help_flag = true)]
    User {
        /// Arguments of the benchmark; --help shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Runs it. Its exit code is ours.
pub(crate) fn run(bench: Bench) -> Result<ExitCode> {
    match bench {
        Bench::User { args } => user(&args),
    }
}

/// Builds the benchmark and the program, optimised, and measures both.
fn user(args: &[String]) -> Result<ExitCode> {
    let object = ebpf::build()?;
    let tracer = program::build_around(&object, Linking::Dynamic)?;
    let mut cargo = program::cargo("build", &object);
    cargo.args([
        "--release",
        "--package",
        "bench",
        "--message-format=json-render-diagnostics",
    ]);
    let bench = program::executable(&mut cargo, "bench", "building the benchmark")?;
    let mut bench = Command::new(bench);
    process::forget_cargo(&mut bench);
    let status = bench
        .arg("--tracer")
        .arg(tracer)
        .arg("--directory")
        .arg(paths::root().join("target/bench"))
        .args(args)
        .status()
        .with_context(|| format!("cannot start `{}`", process::line(&bench)))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
