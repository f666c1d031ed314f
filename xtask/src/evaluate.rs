//! Runs the evaluation of the detector, `xtask/evaluate`.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::{ebpf, process, program};

/// Builds it, optimised, and runs it with these arguments where we were called. Its exit code is ours.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let object = ebpf::build()?;
    let mut cargo = program::cargo("build", &object);
    cargo.args([
        "--release",
        "--package",
        "evaluate",
        "--message-format=json-render-diagnostics",
    ]);
    let evaluate = program::executable(&mut cargo, "evaluate", "building the evaluation")?;
    let mut evaluate = Command::new(evaluate);
    process::forget_cargo(&mut evaluate);
    let status = evaluate
        .args(args)
        .status()
        .with_context(|| format!("cannot start `{}`", process::line(&evaluate)))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
