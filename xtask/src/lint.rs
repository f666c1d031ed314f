//! Everything that reads the source without running it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, say};
use crate::{ebpf, layering, paths, program, source, toolchain};

/// Runs all checks, also after one has failed, and fails if any did.
pub(crate) fn run() -> Result<()> {
    let mut failures = Vec::new();
    let mut check = |name: &str, outcome: Result<()>| {
        if let Err(error) = outcome {
            say(format_args!("lint: {name}: {error:#}"));
            failures.push(name.to_owned());
        }
    };

    check("format", format());
    check("layering and file length", structure());
    // tracer's build script wants the object, whatever is compiled.
    match ebpf::build() {
        Ok(object) => {
            check("clippy", clippy(&object));
            check("documentation", documentation(&object));
        }
        Err(error) => check("kernel object", Err(error)),
    }
    check("clippy of the kernel programs", clippy_ebpf());
    check("clippy of the fuzz targets", clippy_fuzz());
    check("dependencies", dependencies());

    if !failures.is_empty() {
        bail!("lint failed: {}", failures.join(", "));
    }
    say("lint: clean");
    Ok(())
}

fn format() -> Result<()> {
    say("lint: format");
    process::run(
        cargo().args(["fmt", "--all", "--check"]),
        "checking the format (`cargo fmt --all` mends it)",
    )?;
    if let Some(manifest) = fuzz_manifest() {
        let mut cargo = cargo();
        cargo.args(["fmt", "--check", "--manifest-path", &manifest]);
        process::run(&mut cargo, "checking the format of the fuzz targets")?;
    }
    Ok(())
}

fn structure() -> Result<()> {
    say("lint: layering and file length");
    let found = layering::check(&source::all(&paths::root())?);
    if !found.is_empty() {
        bail!("\n{}", found.join("\n"));
    }
    Ok(())
}

fn clippy(object: &Path) -> Result<()> {
    say("lint: clippy");
    let mut cargo = program::cargo("clippy", object);
    cargo.args(["--workspace", "--exclude", "tracer-ebpf", "--all-targets"]);
    cargo.args(["--", "-D", "warnings"]);
    process::run(&mut cargo, "clippy")?;
    // Not among all targets: a plain `cargo test` leaves it out.
    let mut cargo = program::cargo("clippy", object);
    cargo.args(["--package", "tracer", "--test", "kernel", "--", "-D", "warnings"]);
    process::run(&mut cargo, "clippy of the kernel tests")
}

fn documentation(object: &Path) -> Result<()> {
    say("lint: documentation");
    let mut cargo = program::cargo("doc", object);
    cargo.args(["--quiet", "--no-deps", "--workspace", "--exclude", "tracer-ebpf"]);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    process::run(&mut cargo, "building the documentation")
}

fn clippy_ebpf() -> Result<()> {
    say("lint: clippy of the kernel programs");
    let toolchain = toolchain::find_or_install()?;
    toolchain.ensure_clippy()?;
    let mut cargo = ebpf::cargo(&toolchain, "clippy");
    cargo.args(["--", "-D", "warnings"]);
    process::run(&mut cargo, "clippy of the kernel programs")
}

fn clippy_fuzz() -> Result<()> {
    let Some(manifest) = fuzz_manifest() else {
        return Ok(());
    };
    say("lint: clippy of the fuzz targets");
    let mut cargo = cargo();
    cargo.args(["clippy", "--manifest-path", &manifest, "--", "-D", "warnings"]);
    cargo.env("CARGO_TARGET_DIR", paths::root().join("fuzz/target"));
    process::run(&mut cargo, "clippy of the fuzz targets")
}

/// Licences, duplicates and sources of dependencies; the list of known vulnerabilities would need the network.
fn dependencies() -> Result<()> {
    if process::find_on_path("cargo-deny").is_none() {
        say("lint: dependencies: skipped, cargo-deny is not installed");
        return Ok(());
    }
    say("lint: dependencies");
    let mut cargo = cargo();
    cargo.args(["deny", "--offline", "check", "bans", "licenses", "sources"]);
    process::run(&mut cargo, "cargo deny")
}

fn cargo() -> Command {
    let mut cargo = Command::new(process::cargo());
    process::forget_cargo(&mut cargo);
    cargo.current_dir(paths::root());
    cargo
}

fn fuzz_manifest() -> Option<String> {
    let manifest = paths::root().join("fuzz/Cargo.toml");
    manifest
        .is_file()
        .then(|| manifest.to_string_lossy().into_owned())
}
