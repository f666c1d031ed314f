//! Builds the tracer program and its kernel tests, and runs the program.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use crate::process::{self, say};
use crate::{ebpf, paths};

/// How the program gets at the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linking {
    /// As everything on this machine does.
    Dynamic,
    /// Inside the program, which then runs in any guest or container.
    Static,
}

/// Builds the kernel object and the release binary around it.
pub(crate) fn build(linking: Linking) -> Result<PathBuf> {
    let object = ebpf::build()?;
    let program = build_around(&object, linking)?;
    say(format_args!("program: {}", program.display()));
    Ok(program)
}

/// Builds the release binary around an object that exists already.
pub(crate) fn build_around(object: &Path, linking: Linking) -> Result<PathBuf> {
    let mut cargo = release_cargo("build", "tracer", object, linking)?;
    cargo.args(["--bin", "tracer"]);
    executable(&mut cargo, "tracer", "building tracer")
}

/// Builds the program that measures in guests.
pub(crate) fn build_meter(object: &Path) -> Result<PathBuf> {
    let mut cargo = release_cargo("build", "meter", object, Linking::Static)?;
    executable(&mut cargo, "meter", "building the meter")
}

/// Builds the test program that runs natively and in guests.
pub(crate) fn build_kernel_tests(object: &Path) -> Result<PathBuf> {
    let mut cargo = release_cargo("test", "tracer", object, Linking::Static)?;
    cargo.args(["--test", "kernel", "--no-run"]);
    executable(&mut cargo, "kernel", "building the kernel tests")
}

/// Builds everything from a fresh machine and becomes the tracer: same process, so signals and the exit code are
/// the tracer's. Returns only if that fails.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let program = build(Linking::Dynamic)?;
    let mut command = if process::is_root() {
        Command::new(&program)
    } else if process::find_on_path("sudo").is_some() {
        let mut command = Command::new("sudo");
        command
            .args(["--preserve-env=RUST_LOG,RUST_BACKTRACE,NO_COLOR", "--"])
            .arg(&program);
        command
    } else {
        bail!(
            "tracer needs root, and there is no sudo: run `{}` as root",
            program.display()
        );
    };
    process::forget_cargo(&mut command);
    let error = command.args(args).exec();
    Err(anyhow!(error).context(format!("cannot start `{}`", process::line(&command))))
}

/// A workspace cargo whose build script of tracer finds the kernel object.
pub(crate) fn cargo(subcommand: &str, object: &Path) -> Command {
    let mut cargo = Command::new(process::cargo());
    process::forget_cargo(&mut cargo);
    cargo
        .arg(subcommand)
        .arg("--locked")
        .current_dir(paths::root())
        .env("TRACER_EBPF_OBJECT", object);
    cargo
}

fn release_cargo(subcommand: &str, package: &str, object: &Path, linking: Linking) -> Result<Command> {
    let mut cargo = cargo(subcommand, object);
    cargo.args([
        "--release",
        "--package",
        package,
        "--message-format=json-render-diagnostics",
    ]);
    if linking == Linking::Static {
        // With an explicit target the flags are not applied to build scripts and procedural macros, which
        // cannot be linked statically.
        cargo
            .args(["--target", &host_triple()?])
            .env("RUSTFLAGS", add_flags("-Ctarget-feature=+crt-static"));
    }
    Ok(cargo)
}

/// The flags on top of the user's own.
fn add_flags(more: &str) -> String {
    let own = std::env::var("RUSTFLAGS").unwrap_or_default();
    format!("{own} {more}").trim_start().to_owned()
}

/// The triple of the toolchain that builds the workspace.
pub(crate) fn host_triple() -> Result<String> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    process::forget_cargo(&mut rustc);
    let version = process::stdout_of(rustc.arg("-vV"), "asking rustc for this machine's target")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV does not name its host")?.to_owned())
}

/// Runs a cargo that reports in JSON and picks the path of one program: it depends on settings we do not know.
pub(crate) fn executable(cargo: &mut Command, name: &str, what: &str) -> Result<PathBuf> {
    cargo.stderr(Stdio::inherit());
    let output = process::capture(cargo)?;
    if !output.status.success() {
        bail!("{what} failed ({}): `{}`", output.status, process::line(cargo));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    find_executable(&messages, name).with_context(|| format!("{what}: cargo built no program `{name}`"))
}

fn find_executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_it = message["reason"] == "compiler-artifact" && message["target"]["name"] == name;
        is_it
            .then(|| message["executable"].as_str().map(PathBuf::from))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_the_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"tracer","kind":["lib"]},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"kernel"},"executable":"/t/kernel-1"}
{"reason":"compiler-artifact","target":{"name":"tracer","kind":["bin"]},"executable":"/t/tracer"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            find_executable(messages, "tracer"),
            Some(PathBuf::from("/t/tracer"))
        );
        assert_eq!(
            find_executable(messages, "kernel"),
            Some(PathBuf::from("/t/kernel-1"))
        );
        assert_eq!(find_executable(messages, "absent"), None);
    }
}
