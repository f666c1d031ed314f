//! The results as tables, for a terminal or in Markdown.

mod grid;

use std::fmt::Write as _;

use crate::{
    evaluation::Result,
    families::{Family, Set},
    interval::Share,
    score::Outcome,
    summary::Summary,
    world::{HOUR, MINUTE},
};
use grid::Grid;

/// How tables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Columns aligned with spaces.
    Terminal,
    /// For a document.
    Markdown,
}

/// The whole report.
pub fn render(results: &[Result], style: Style) -> String {
    let mut report = String::new();
    for (set, title) in [
        (Set::Tuning, "Families used for tuning"),
        (Set::HeldOut, "Held-out families"),
        (
            Set::Hostile,
            "Hostile families (X and Y of the prototype), held out",
        ),
    ] {
        let results: Vec<&Result> = results.iter().filter(|result| result.family.set == set).collect();
        if results.is_empty() {
            continue;
        }
        report += &heading(style, title);
        report += &by_detector(&results).render(style);
        report.push('\n');
        report += &by_family(&results).render(style);
        report.push('\n');
    }
    report
}

/// The families themselves.
pub fn list(families: &[Family]) -> String {
    let mut grid = Grid::new(["family", "set", "is", "models"]);
    for family in families {
        let label = if family.leaks { "a leak" } else { "healthy" };
        grid.row([family.name, family.set.name(), label, family.about].map(str::to_owned));
    }
    grid.render(Style::Terminal)
}

/// Every world in which the tracer was wrong, with its seed: to look at it again.
pub fn failures(results: &[Result]) -> String {
    let mut lines = String::new();
    for result in results {
        let Some((_, outcome)) = result.outcomes.first() else {
            continue;
        };
        let mut wrong = Vec::new();
        if outcome.leaks {
            match outcome.hit {
                None => wrong.push("not found".to_owned()),
                Some(hit) if !hit.before_half => wrong.push(format!(
                    "found late, after {} at {:.0} %",
                    span(hit.after),
                    100.0 * hit.used
                )),
                Some(_) => {}
            }
        }
        if let Some(at) = outcome.first_false {
            wrong.push(format!("false alarm at {}", span(at)));
        }
        if let Some(at) = outcome.confirmed_false {
            wrong.push(format!("confirmed at {}", span(at)));
        }
        if !wrong.is_empty() {
            let name = result.family.name;
            let _ = writeln!(lines, "{name} seed {}: {}", outcome.seed, wrong.join(", "));
        }
    }
    lines
}

fn heading(style: Style, title: &str) -> String {
    match style {
        Style::Terminal => format!("{title}\n\n"),
        Style::Markdown => format!("### {title}\n\n"),
    }
}

fn detectors(results: &[&Result]) -> Vec<&'static str> {
    let first = results.first();
    first.map_or_else(Vec::new, |result| {
        result.outcomes.iter().map(|(detector, _)| *detector).collect()
    })
}

fn outcomes<'a>(results: &'a [&Result], detector: &'a str) -> impl Iterator<Item = &'a Outcome> {
    let all = results.iter().flat_map(|result| &result.outcomes);
    all.filter(move |(name, _)| *name == detector)
        .map(|(_, outcome)| outcome)
}

/// One row per detector.
fn by_detector(results: &[&Result]) -> Grid {
    let mut grid = Grid::new([
        "detector",
        "recall",
        "before half",
        "confirmed",
        "precision",
        "healthy accused",
        "confirmed",
        "false alarms / 1000 h",
        "detected after, median / p90",
        "leaked by then",
        "descriptors used, p90",
    ]);
    for detector in detectors(results) {
        let summary = Summary::of(outcomes(results, detector));
        let percent = |value: f64| format!("{:.0} %", 100.0 * value);
        let count = |value: f64| format!("{value:.0}");
        grid.row([
            detector.to_owned(),
            share(summary.found),
            share(summary.found_early),
            share(summary.confirmed),
            or_none(summary.precision, |value| format!("{value:.3}")),
            share(summary.accused),
            share(summary.accused_confirmed),
            or_none(summary.alarms_per_1000h(), |value| format!("{value:.2}")),
            pair(summary.after(0.5), summary.after(0.9), span),
            pair(summary.leaked(0.5), summary.leaked(0.9), count),
            or_none(summary.used(0.9), percent),
        ]);
    }
    grid
}

/// One row per family, one column per detector.
fn by_family(results: &[&Result]) -> Grid {
    let detectors = detectors(results);
    let columns = ["family", "models"].into_iter();
    let mut grid = Grid::new(columns.chain(detectors.iter().copied()));
    for results in results.chunk_by(|a, b| a.family.name == b.family.name) {
        let Some(family) = results.first().map(|result| result.family) else {
            continue;
        };
        let cells = detectors
            .iter()
            .map(|detector| cell(&Summary::of(outcomes(results, detector))));
        let about = [family.name.to_owned(), family.about.to_owned()];
        grid.row(about.into_iter().chain(cells));
    }
    grid
}

/// What one detector made of one family.
fn cell(summary: &Summary) -> String {
    let mut notes = Vec::new();
    if summary.found.all > 0 {
        notes.extend(summary.after(0.5).map(span));
        let late = summary.found.of - summary.found_early.of;
        if late > 0 {
            notes.push(format!("{late} late"));
        }
        let off_target = summary.on_target.all - summary.on_target.of;
        if off_target > 0 {
            notes.push(format!("{off_target} off target"));
        }
        if summary.false_alarms > 0 {
            notes.push(format!("{} false", summary.false_alarms));
        }
    } else if summary.accused_confirmed.of > 0 {
        notes.push(format!("{} confirmed", summary.accused_confirmed.of));
    }
    let told = if summary.found.all > 0 {
        summary.found
    } else {
        summary.accused
    };
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    };
    match told {
        Share { of: 0, .. } if summary.found.all == 0 => "0".to_owned(),
        Share { of, all } => format!("{of}/{all}{notes}"),
    }
}

/// A share with its interval.
fn share(share: Share) -> String {
    let (low, high) = share.interval();
    or_none(share.value(), |value| {
        format!(
            "{:.1} % [{:.1}, {:.1}] of {}",
            100.0 * value,
            100.0 * low,
            100.0 * high,
            share.all
        )
    })
}

fn or_none(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn pair(median: Option<f64>, p90: Option<f64>, show: impl Fn(f64) -> String) -> String {
    match (median, p90) {
        (Some(median), Some(p90)) => format!("{} / {}", show(median), show(p90)),
        _ => "-".to_owned(),
    }
}

/// A time span, for people.
fn span(seconds: f64) -> String {
    if seconds < 2.0 * MINUTE {
        format!("{seconds:.0} s")
    } else if seconds < 2.0 * HOUR {
        format!("{:.0} min", seconds / MINUTE)
    } else {
        format!("{:.1} h", seconds / HOUR)
    }
}

#[cfg(test)]
mod tests;
