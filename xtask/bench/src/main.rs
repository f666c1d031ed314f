//! The command line of the benchmark: `cargo xtask bench user`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, ensure};
use bench::{
    count::Counts,
    figure::{self, Figure},
    scenes::{events, memory, recording, snapshots, ticks},
};
use clap::Parser;
use serde_json::json;

/// Measure what the user side costs.
#[derive(Parser)]
#[command(name = "cargo xtask bench user", bin_name = "cargo xtask bench user")]
struct Cli {
    /// The program whose replay is measured
    #[arg(long, value_name = "PATH")]
    tracer: Option<PathBuf>,
    /// Where the recording goes that is replayed, and is deleted again
    #[arg(long, value_name = "DIRECTORY", default_value = "target/bench")]
    directory: PathBuf,
    /// Lines of that recording
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    lines: u64,
    /// Only figures whose scene is one of these
    #[arg(long, value_enum)]
    only: Vec<Scene>,
    /// Only count what does not depend on the machine, and print it as it is committed
    #[arg(long)]
    counts: bool,
    /// Hold so many connections and print what is resident then, in MiB
    #[arg(long, value_name = "CONNECTIONS", hide = true)]
    hold: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scene {
    Events,
    Ticks,
    Attach,
    Snapshots,
    Memory,
    Recording,
    Replay,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    if let Some(connections) = cli.hold {
        return print(&format!("{}\n", memory::hold(connections)?));
    }
    if cli.counts {
        return print(&format!("{}\n", serde_json::to_string_pretty(&memory::counts())?));
    }
    let is_wanted = |scene| cli.only.is_empty() || cli.only.contains(&scene);
    let mut figures = Vec::new();
    if is_wanted(Scene::Events) {
        events::measure(&mut figures);
    }
    if is_wanted(Scene::Ticks) {
        ticks::measure(&mut figures);
    }
    if is_wanted(Scene::Attach) {
        ticks::attach(&mut figures);
    }
    if is_wanted(Scene::Snapshots) {
        snapshots::measure(&mut figures);
    }
    if is_wanted(Scene::Memory) {
        figures.extend(counted(&memory::counts()));
        figures.push(
            Figure::new(
                "resident with 1,000,000 open connections",
                held(1_000_000)?,
                "MiB",
            )
            .at_most(256.0),
        );
    }
    if is_wanted(Scene::Recording) {
        recording::measure(&mut figures);
    }
    if let Some(tracer) = &cli.tracer
        && is_wanted(Scene::Replay)
    {
        recording::replay(tracer, &cli.directory, cli.lines, &mut figures)?;
    }
    print(&figure::table(&figures))?;
    print(&format!("{}\n", json!({ "figures": figures })))
}

/// What is counted, as figures.
fn counted(counts: &Counts) -> Vec<Figure> {
    vec![
        Figure::new("allocations per event", counts.allocations_per_event, "").at_most(0.001),
        Figure::new("per open connection", counts.bytes_per_connection, "bytes").at_most(192.0),
        Figure::new(
            "per open connection that snapshots know",
            counts.bytes_per_idle_connection,
            "bytes",
        )
        .at_most(192.0),
        Figure::new(
            "per group, 100 processes x 1,000 peers",
            counts.bytes_per_group,
            "bytes",
        )
        .at_most(1536.0),
        Figure::new("per group, 100,000 processes", counts.bytes_per_process, "bytes").at_most(1536.0),
        Figure::new("per group, 100,000 peers", counts.bytes_per_peer, "bytes").at_most(1536.0),
        Figure::new("allocations per line read", counts.allocations_per_line, "").at_most(0.01),
    ]
}

/// What a process of its own has resident with so many connections, in MiB.
fn held(connections: usize) -> anyhow::Result<f64> {
    let own = std::env::current_exe().context("cannot find this program")?;
    let output = Command::new(own)
        .arg(format!("--hold={connections}"))
        .output()
        .context("cannot start this program again")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    text.trim().parse().context("it printed no number")
}

/// To stdout; a reader that has gone away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write to stdout"),
    }
}
