//! Runs in a guest where one instruction takes one nanosecond (`-icount shift=0`), so that times are counts.
//!
//! For each case: start it, let it settle, watch it idle, put a load beside it and count all that the processor did
//! until long after, put another load beside it and ask the kernel what its BPF programs took, end it, and let what the
//! loads left behind (`TIME_WAIT`) go.

mod floor;
mod load;
mod processor;
mod programs;
mod tool;

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use meter::{Case, Measured, Plan, REPORT, Report, Work};

use load::Load;
use processor::Stopwatch;
use tool::Tool;

/// How long a case may take to start, attach and find its rest. Time is free here: an idle guest skips it.
const SETTLE: Duration = Duration::from_secs(5);
/// Longer than a connection stays in `TIME_WAIT` (60 s, `TCP_TIMEWAIT_LEN`, `include/net/tcp.h`).
const FORGET: Duration = Duration::from_secs(65);
/// Loads beside a case: one to warm up, one counted, one with the statistics of BPF programs.
const LOADS: u32 = 3;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", plan] => run(plan),
        ["floor", object, prefix] => floor::run(object, prefix),
        _ => bail!("usage: meter run PLAN | meter floor OBJECT PREFIX"),
    }
}

fn run(path: &str) -> Result<()> {
    let plan = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let plan: Plan = serde_json::from_str(&plan).context("the plan makes no sense")?;
    let load = Load::new(plan.connections)?;
    let window = Duration::from_millis(plan.window_ms);
    // The first case must not pay for what a young kernel grows once: caches, tables.
    for _ in 0..2 {
        load.run()?;
        sleep(FORGET);
    }
    let cases: Result<_> = plan
        .cases
        .iter()
        .map(|case| measure(case, &load, window))
        .collect();
    let report = Report {
        kernel: trimmed("/proc/sys/kernel/osrelease")?,
        clocksource: trimmed("/sys/devices/system/clocksource/clocksource0/current_clocksource")?,
        loads: LOADS,
        cases: cases?,
    };
    println!("{REPORT}{}", serde_json::to_string(&report)?);
    Ok(())
}

fn measure(case: &Case, load: &Load, window: Duration) -> Result<Measured> {
    // Seen in the log of a guest that hangs.
    eprintln!("meter: {}", case.name);
    let mut tool = Tool::start(case)?;
    sleep(SETTLE);
    load.run()?;
    sleep(FORGET);
    let idle = within(window, &tool, || Ok(()))?;
    let loaded = within(window, &tool, || load.run())?;
    sleep(FORGET);

    let statistics = programs::Statistics::enable()?;
    let before = programs::read()?;
    load.run()?;
    sleep(window);
    let after = programs::read()?;
    drop(statistics);
    tool.check()?;
    let (lines, last_line) = tool.end()?;
    sleep(FORGET);
    Ok(Measured {
        name: case.name.clone(),
        idle,
        loaded,
        programs: programs::between(&before, after),
        lines,
        last_line,
    })
}

/// The work of a window that begins with `load`.
fn within(window: Duration, tool: &Tool, load: impl FnOnce() -> Result<()>) -> Result<Work> {
    let process = tool.work()?;
    let stopwatch = Stopwatch::start()?;
    load()?;
    let Some(rest) = window.checked_sub(stopwatch.elapsed()) else {
        bail!("the load took longer than its window of {window:?}");
    };
    sleep(rest);
    let system = stopwatch.busy()?;
    Ok(Work {
        system,
        process: tool.work()? - process,
    })
}

fn trimmed(path: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.trim().to_owned())
}
