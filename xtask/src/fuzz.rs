//! Builds and runs the fuzz targets of `fuzz/`: libFuzzer on the stable compiler, without the cargo-fuzz tool.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::{self, say};
use crate::{apt, paths, program};

/// How long a target runs when nobody says.
pub(crate) const DEFAULT_SECONDS: u32 = 20;

/// What cargo-fuzz passes to nightly as `-Zsanitizer` options, spelled as the LLVM pass behind them, which stable
/// reaches: coverage counters and traced comparisons are libFuzzer's feedback. One codegen unit keeps the counters of a
/// crate together. Arithmetic is checked as in a debug build, by the profile in `fuzz/Cargo.toml`.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebuginfo=1",
];

/// Runs one target, or all, each for this long. Gives back the names of those that ran.
pub(crate) fn run(only: Option<&str>, seconds: u32) -> Result<Vec<String>> {
    let mut targets = targets()?;
    if let Some(only) = only {
        if !targets.iter().any(|target| target == only) {
            bail!(
                "there is no fuzz target `{only}`; there are: {}",
                targets.join(", ")
            );
        }
        targets = vec![only.to_owned()];
    }
    let programs = build()?;
    for target in &targets {
        fuzz(target, &programs.join(target), seconds)?;
    }
    Ok(targets)
}

/// The targets that `fuzz/Cargo.toml` names.
pub(crate) fn targets() -> Result<Vec<String>> {
    let manifest = manifest();
    if !manifest.is_file() {
        bail!("there are no fuzz targets: {} does not exist", manifest.display());
    }
    let mut metadata = cargo("metadata");
    metadata.args(["--no-deps", "--format-version", "1"]);
    let targets = bins(&process::stdout_of(&mut metadata, "reading the fuzz targets")?)?;
    if targets.is_empty() {
        bail!("{} names no [[bin]] target", manifest.display());
    }
    Ok(targets)
}

fn bins(metadata: &str) -> Result<Vec<String>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata printed no JSON")?;
    let targets = metadata["packages"].as_array().into_iter().flatten();
    let targets = targets
        .filter_map(|package| package["targets"].as_array())
        .flatten();
    let bins = targets.filter(|target| {
        target["kind"]
            .as_array()
            .is_some_and(|k| k.iter().any(|k| k == "bin"))
    });
    Ok(bins
        .filter_map(|bin| bin["name"].as_str())
        .map(str::to_owned)
        .collect())
}

/// Gives back the directory with the fuzzing programs.
fn build() -> Result<PathBuf> {
    apt::ensure_program("g++", "g++", "building libFuzzer")?;
    let host = program::host_triple()?;
    let mut build = cargo("build");
    // With an explicit target, build scripts and procedural macros are not instrumented.
    build
        .args(["--release", "--target", &host])
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    process::run(&mut build, "building the fuzz targets")?;
    Ok(directory("target").join(host).join("release"))
}

fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(process::cargo());
    process::forget_cargo(&mut cargo);
    cargo.arg(subcommand).arg("--manifest-path").arg(manifest());
    cargo
        .env_remove("RUSTFLAGS")
        .env("CARGO_TARGET_DIR", directory("target"));
    if directory("Cargo.lock").is_file() {
        cargo.arg("--locked");
    }
    cargo
}

fn manifest() -> PathBuf {
    directory("Cargo.toml")
}

fn directory(name: &str) -> PathBuf {
    paths::root().join("fuzz").join(name)
}

fn fuzz(target: &str, program: &Path, seconds: u32) -> Result<()> {
    say(format_args!("fuzzing {target} for {seconds} s"));
    let corpus = directory("corpus").join(target);
    let artifacts = directory("artifacts").join(target);
    let logs = paths::target().join("fuzz");
    for directory in [&corpus, &artifacts, &logs] {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let log = logs.join(format!("{target}.log"));
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(program);
    command.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(&corpus);
    // Inputs worth keeping are committed as seeds; the corpus that grows out of them is not.
    let seeds = directory("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    process::forget_cargo(&mut command);
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    if !status.success() {
        bail!(
            "fuzz target {target} failed ({status}): {}; see {}",
            finding(&text),
            log.display()
        );
    }
    let Some(coverage) = coverage(&text).filter(|coverage| *coverage > 0) else {
        bail!(
            "fuzz target {target} ran without coverage feedback; see {}",
            log.display()
        );
    };
    let executed = field(&text, "stat::number_of_executed_units:").unwrap_or("?");
    say(format_args!(
        "{target}: {executed} inputs, {coverage} edges covered, nothing found"
    ));
    Ok(())
}

/// What was found, in the words of the panic or of libFuzzer, and the input that shows it.
fn finding(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let panic = lines.iter().position(|line| line.contains(" panicked at "));
    let message = panic.map(|at| lines[at..].iter().take(2).copied().collect::<Vec<_>>().join(" "));
    let error = || {
        lines
            .iter()
            .find(|line| line.contains("ERROR: libFuzzer"))
            .map(|line| (*line).to_owned())
    };
    let what = message
        .or_else(error)
        .unwrap_or_else(|| lines.last().copied().unwrap_or_default().to_owned());
    match field(log, "Test unit written to") {
        Some(artifact) => format!("{what}; the input is {artifact}"),
        None => what,
    }
}

/// The edges covered at the end: the last `cov: N`.
fn coverage(log: &str) -> Option<u64> {
    let (_, rest) = log.rsplit_once(" cov: ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The word after a label.
fn field<'a>(log: &'a str, label: &str) -> Option<&'a str> {
    log.split_once(label)?.1.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_binaries() {
        let metadata = r#"{"packages":[{"targets":[{"name":"decode","kind":["bin"]},{"name":"x","kind":["lib"]},
            {"name":"btf","kind":["bin"]}]}]}"#;
        assert_eq!(bins(metadata).unwrap(), ["decode", "btf"]);
        assert!(bins("{}").unwrap().is_empty());
    }

    #[test]
    fn a_run_is_understood() {
        let log = "#2\tINITED cov: 12 ft: 12 corp: 1/1b\n#9\tDONE   cov: 40 ft: 90 corp: 9/9b\n\
                   stat::number_of_executed_units: 12345\n";
        assert_eq!(coverage(log), Some(40));
        assert_eq!(field(log, "stat::number_of_executed_units:"), Some("12345"));
        assert_eq!(coverage("nothing"), None);
    }

    #[test]
    fn a_finding_names_panic_and_input() {
        let log = "thread '<unnamed>' (7) panicked at src/x.rs:3:5:\nindex out of bounds\n==7== ERROR: libFuzzer: \
                   deadly signal\nartifact_prefix='a/'; Test unit written to a/crash-1\n";
        let finding = finding(log);
        assert!(
            finding.contains("index out of bounds") && finding.ends_with("the input is a/crash-1"),
            "{finding}"
        );
    }
}
