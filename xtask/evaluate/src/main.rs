//! The command line of the evaluation: `cargo xtask evaluate`.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    num::NonZeroUsize,
    ops::Range,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use evaluate::{
    document,
    drive::Options,
    evaluation::Plan,
    export,
    families::{self, Family, Set},
    report::{self, Style},
    selection,
};
use tracer::{bpf::filter::Filter, cli::args::Detection};

/// Measure how well the tracer, and simpler rules, tell leaks from healthy workloads.
#[derive(Parser)]
#[command(name = "cargo xtask evaluate", bin_name = "cargo xtask evaluate")]
struct Cli {
    /// Worlds of each family
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    first_seed: u64,
    /// Worlds of each family that are run once more for each disturbance [default: a tenth of --seeds]
    #[arg(long, value_name = "SEEDS")]
    disturbed: Option<u64>,
    /// Only families whose name fits; `*` stands for anything, a comma for "or"
    #[arg(long, default_value = "*", value_name = "PATTERNS")]
    families: String,
    /// Only families of this set; may be repeated
    #[arg(long, value_enum)]
    set: Vec<SetChoice>,
    /// Only the tracer, not the rules that it is compared with
    #[arg(long)]
    no_baselines: bool,
    /// Seconds between two looks of the detector
    #[arg(long, default_value_t = Options::default().tick, value_name = "SECONDS")]
    tick: f64,
    /// Also print each world in which the tracer was wrong
    #[arg(long)]
    failures: bool,
    /// Also write the report into this file, as Markdown: between its marks, if it has some like docs/detection.md
    #[arg(long, value_name = "PATH")]
    markdown: Option<PathBuf>,
    /// Write each world as a recording for `tracer replay` into this directory, with the truth about all of them in
    /// truth.jsonl, and end
    #[arg(long, value_name = "DIRECTORY")]
    export: Option<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Print the families and end
    #[arg(long)]
    list: bool,
    /// The tracer's own settings
    #[command(flatten)]
    detection: Detection,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SetChoice {
    Tuning,
    /// Blind once, looked at since
    Seen,
    HeldOut,
    /// Likewise, made by somebody who had not read the detector
    Blind,
    Hostile,
}

impl From<SetChoice> for Set {
    fn from(choice: SetChoice) -> Self {
        match choice {
            SetChoice::Tuning => Self::Tuning,
            SetChoice::Seen => Self::Seen,
            SetChoice::HeldOut => Self::HeldOut,
            SetChoice::Blind => Self::Blind,
            SetChoice::Hostile => Self::Hostile,
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let mut families = selection::select(families::all(), &cli.families);
    let sets: Vec<Set> = cli.set.iter().copied().map(Set::from).collect();
    families.retain(|family| sets.is_empty() || sets.contains(&family.set));
    ensure!(
        !families.is_empty(),
        "no family fits `{}`: --list shows them all",
        cli.families
    );
    if cli.list {
        return Ok(print(&report::list(&families))?);
    }
    if let Some(directory) = &cli.export {
        return export(
            directory,
            &families,
            cli.first_seed..cli.first_seed.saturating_add(cli.seeds),
        );
    }
    ensure!(
        (0.1..=600.0).contains(&cli.tick),
        "--tick must be from 0.1 to 600 seconds"
    );
    let plan = Plan {
        families,
        first_seed: cli.first_seed,
        seeds: cli.seeds,
        disturbed: cli.disturbed.unwrap_or(cli.seeds / 10),
        options: Options {
            parameters: cli.detection.into_rules(&Filter::default())?,
            tick: cli.tick,
            baselines: !cli.no_baselines,
            ..Options::default()
        },
        threads: match cli.threads {
            Some(threads) => threads,
            None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        },
    };
    let began = Instant::now();
    let results = plan.run();
    let render = |style| format!("{}\n\n{}", plan.describe(), report::render(&results, style));
    let mut text = render(Style::Terminal);
    if cli.failures {
        text += &report::failures(&results);
    }
    print(&text)?;
    eprintln!("{} worlds in {:.0?}", results.len(), began.elapsed());
    if let Some(path) = &cli.markdown {
        let report = render(Style::Markdown);
        let document = fs::read_to_string(path).ok();
        let document = document.and_then(|document| document::insert(&document, &report));
        fs::write(path, document.unwrap_or(report))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Writes the worlds of families as recordings.
fn export(directory: &Path, families: &[Family], seeds: Range<u64>) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let create = |name: &str| {
        let path = directory.join(name);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        anyhow::Ok(BufWriter::new(file))
    };
    let mut truth = create("truth.jsonl")?;
    for family in families {
        for seed in seeds.clone() {
            let name = format!("{}-{seed}.jsonl", family.name);
            let world = family.world(seed);
            export::write(&world, create(&name)?).with_context(|| format!("cannot write {name}"))?;
            writeln!(truth, "{}", export::truth(&world, &name)).context("cannot write truth.jsonl")?;
        }
    }
    truth.flush().context("cannot write truth.jsonl")
}

/// To stdout; a reader that has gone away is no error.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}
