//! Instructions that tracing adds to a loopback connection (docs/performance.md).
//!
//! A guest with one processor, in which one instruction takes one nanosecond, plays the same load beside nothing, beside
//! each backend of the tracer, beside Debian's tools for TCP, and beside programs that do next to nothing. What it counts
//! does not depend on how fast this machine is or what else it does.

mod cases;
mod figures;
mod gate;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use meter::{Plan, REPORT, Report};

use crate::process::say;
use crate::program::{self, Linking};
use crate::vm::{Include, Series, Vm};
use crate::{apt, ebpf, paths};
use cases::{CASES, Case, Run};
use figures::Figures;
pub(crate) use gate::gate;

/// Where the guest has what it needs.
const GUEST: &str = "/usr/local/bin";
/// What comes after a load within this time counts for it.
const WINDOW_MS: u64 = 1_000;
/// A guest that takes longer hangs: the longest plan takes a minute or two.
const TIMEOUT: Duration = Duration::from_mins(15);

/// What is measured.
#[derive(Args)]
pub(crate) struct Settings {
    /// Kernel series; the first is the one whose figures come in full
    #[arg(long, value_enum, default_values = ["6.12", "6.1"])]
    kernel: Vec<Series>,
    /// Connections of a load
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=8_000))]
    connections: u32,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Compare with the committed figures, and fail if tracing costs more
    #[arg(long, conflicts_with_all = ["kernel", "connections", "only"])]
    check: bool,
    /// A tracer that is built already, statically
    #[arg(long, value_name = "PATH")]
    tracer: Option<PathBuf>,
    /// Where the figures go, as JSON
    #[arg(long, value_name = "PATH", default_value = "target/bench/kernel.json")]
    json: PathBuf,
}

/// Measures, prints a table, writes the figures.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let programs = Programs::build(settings.tracer.as_deref())?;
    if settings.check {
        return gate(&programs.tracer);
    }
    let cases: Vec<&Case> = CASES.iter().filter(|case| settings.wants(case)).collect();
    ensure!(cases.len() > 1, "no case has this in its name");
    let mut all = Vec::new();
    for &series in &settings.kernel {
        let report = measure(series, settings.connections, &cases, &programs)?;
        all.push(Figures::new(&report, &cases, settings.connections)?);
    }
    print!("{}", table::of(&all));
    write(&settings.json, &all)
}

impl Settings {
    fn wants(&self, case: &Case) -> bool {
        let named = |text: &String| case.name.contains(text.as_str());
        matches!(case.run, Run::Nothing) || self.only.is_empty() || self.only.iter().any(named)
    }
}

/// What goes into the guest.
struct Programs {
    tracer: PathBuf,
    meter: PathBuf,
    floor: PathBuf,
}

impl Programs {
    fn build(tracer: Option<&Path>) -> Result<Self> {
        let object = ebpf::build()?;
        let tracer = match tracer {
            Some(built) => built.to_owned(),
            None => program::build_around(&object, Linking::Static)?,
        };
        Ok(Self {
            tracer,
            meter: program::build_meter(&object)?,
            floor: ebpf::floor(),
        })
    }
}

/// Boots a guest and plays the cases in it.
fn measure(series: Series, connections: u32, cases: &[&Case], programs: &Programs) -> Result<Report> {
    let mut files = vec![
        include(&programs.tracer, "tracer"),
        include(&programs.floor, "floor.o"),
    ];
    for case in cases {
        if let Run::Debian { tool, .. } = case.run {
            apt::ensure_program(tool, "libbpf-tools", "comparing with other tracers")?;
            let path =
                crate::process::find_on_path(tool).with_context(|| format!("{tool} is not on PATH"))?;
            files.push(include(&path, tool));
        }
    }
    let plan = Plan {
        connections,
        window_ms: WINDOW_MS,
        cases: cases.iter().map(|case| case.planned()).collect(),
    };
    let path = paths::target().join(format!("bench/plan-{series}-{}.json", std::process::id()));
    save(&path, &serde_json::to_string(&plan)?)?;
    files.push(include(&path, "plan.json"));

    let meter = programs.meter.to_string_lossy().into_owned();
    let guest = Vm {
        files,
        smp: 1,
        icount: true,
        shown: false,
        timeout: TIMEOUT,
        ..Vm::new(
            series,
            "meter",
            vec![meter, "run".to_owned(), format!("{GUEST}/plan.json")],
        )
    };
    let outcome = guest.run();
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    let outcome = outcome?;
    let log =
        fs::read_to_string(&outcome.log).with_context(|| format!("cannot read {}", outcome.log.display()))?;
    let code = outcome.exit_code()?;
    let Some(report) = log.lines().find_map(|line| line.strip_prefix(REPORT)) else {
        bail!("the meter ended with code {code} and no report:\n{log}");
    };
    serde_json::from_str(report).context("the meter's report makes no sense")
}

fn include(host: &Path, name: &str) -> Include {
    Include {
        host: host.to_owned(),
        guest: format!("{GUEST}/{name}"),
    }
}

fn write(path: &Path, figures: &[Figures]) -> Result<()> {
    save(path, &(serde_json::to_string_pretty(figures)? + "\n"))?;
    say(format_args!("figures: {}", path.display()));
    Ok(())
}

fn save(path: &Path, text: &str) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(context)?;
    }
    fs::write(path, text).with_context(context)
}
