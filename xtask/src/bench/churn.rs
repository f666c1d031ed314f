//! Connections over loopback on this machine, with the tracer beside them and without, in turn: what it takes from their
//! number, and what it loses of them.
//!
//! A round is three runs: without the tracer, with it, without it again. Two runs that differ in nothing show how far
//! apart runs are by themselves; the tracer costs something that can be told only if it moves them further.

mod load;
mod witness;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::process::{self, say};
use crate::program::{self, Linking};
use load::{Load, Made};
use witness::{Books, Tracer};

/// What is measured, and how often.
#[derive(Args)]
pub(crate) struct Settings {
    /// Rounds of three runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=100))]
    rounds: u32,
    /// Seconds of a run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Connections in a second; without it, as many as two processors make
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rate: Option<u32>,
    /// Also write what was measured as JSON
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// What a round made.
#[derive(Serialize)]
struct Round {
    /// Without the tracer, with it, and without it again.
    runs: [Made; 3],
    books: Books,
}

/// Differences of pairs of runs.
struct Difference {
    mean: f64,
    /// Half of the interval that holds the mean in 95 of 100 cases, if differences are normal.
    within: f64,
}

pub(super) fn run(settings: &Settings) -> Result<()> {
    ensure!(process::is_root(), "the tracer needs root");
    let program = program::build(Linking::Dynamic)?;
    let load = Load::new(settings.rate)?;
    let span = Duration::from_secs(settings.seconds.into());
    // Whatever is slow the first time.
    load.run(Duration::from_secs(1))?;
    let mut rounds = Vec::new();
    for number in 1..=settings.rounds {
        say(format_args!("round {number} of {}", settings.rounds));
        let before = load.run(span)?;
        let tracer = Tracer::start(&program, load.ports())?;
        let beside = load.run(span)?;
        let books = tracer.finish(beside.connections)?;
        let after = load.run(span)?;
        rounds.push(Round {
            runs: [before, beside, after],
            books,
        });
    }
    report(&rounds);
    if let Some(path) = &settings.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rounds)?)?;
    }
    for round in &rounds {
        round.books.check()?;
    }
    Ok(())
}

fn report(rounds: &[Round]) {
    println!("| run | connections/s | processor time of each | median | 99 % within |");
    println!("|---|--:|--:|--:|--:|");
    for (place, name) in ["without", "with the tracer", "without, again"]
        .iter()
        .enumerate()
    {
        let mean =
            |of: fn(&Made) -> f64| mean(rounds.iter().filter_map(|round| round.runs.get(place)).map(of));
        println!(
            "| {name} | {:.0} | {:.1} us | {:.1} us | {:.1} us |",
            mean(|made| made.per_second),
            mean(|made| made.processor_us),
            mean(|made| made.median_us),
            mean(|made| made.p99_us),
        );
    }
    let differences = |place: usize| {
        let pairs = rounds.iter().map(move |round| {
            let [off, ..] = &round.runs;
            round
                .runs
                .get(place)
                .map_or(0.0, |other| other.per_second / off.per_second - 1.0)
        });
        Difference::of(&pairs.collect::<Vec<f64>>())
    };
    println!();
    for (what, difference) in [("the tracer", differences(1)), ("nothing", differences(2))] {
        println!(
            "{what} changes the number of connections by {:+.2} % +- {:.2} %",
            difference.mean * 100.0,
            difference.within * 100.0
        );
    }
    let sum = |of: fn(&Books) -> u64| rounds.iter().map(|round| of(&round.books)).sum::<u64>();
    println!(
        "{} records, {} of them lost and counted, {} not counted; {} connections counted as opened and {} as open at the \
         end, of {}",
        sum(|books| books.expected),
        sum(|books| books.lost),
        sum(|books| books.uncounted),
        sum(|books| books.opened),
        sum(|books| books.open),
        sum(|books| books.ends),
    );
}

impl Difference {
    fn of(values: &[f64]) -> Self {
        /// Two-sided 95 % quantile of the normal distribution; of Student's with few rounds it is up to 2.8 (5 rounds).
        const QUANTILE: f64 = 2.0;
        let mean = mean(values.iter().copied());
        let square = self::mean(values.iter().map(|value| (value - mean).powi(2)));
        #[expect(clippy::cast_precision_loss, reason = "a hundred rounds at most")]
        let degrees = (values.len().max(2) - 1) as f64;
        Self {
            mean,
            within: QUANTILE * (square / degrees).sqrt(),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_as_certain_as_its_values_agree() {
        let certain = Difference::of(&[0.01, 0.01, 0.01]);
        assert!((certain.mean - 0.01).abs() < 1e-12 && certain.within < 1e-9);
        let uncertain = Difference::of(&[0.05, -0.03, 0.01]);
        assert!((uncertain.mean - 0.01).abs() < 1e-12 && uncertain.within > 0.04);
    }
}
