//! Runs the benchmark of the user side, `xtask/bench`.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::program::{self, Linking};
use crate::{ebpf, paths, process};

/// Builds the benchmark and the program, optimised, and measures both.
pub(super) fn run(args: &[String]) -> Result<ExitCode> {
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
