//! What each detector found, and whom it accused.

use super::{
    Style, detectors,
    figure::{or_none, pair, percent, share, span},
    grid::Grid,
    outcomes,
};
use crate::{evaluation::Result, interval::Share, summary::Summary};

/// Of the leaks, one row per detector.
pub fn leaks(results: &[&Result]) -> Grid {
    let mut grid = Grid::new([
        "detector",
        "found, %",
        "before half, %",
        "confirmed, %",
        "after, p50 / p90",
        "leaked by then",
        "used, p90",
    ]);
    for (place, detector) in detectors(results).into_iter().enumerate() {
        let summary = Summary::of(outcomes(results, detector));
        grid.row([
            detector.to_owned(),
            share(summary.found),
            share(summary.found_early),
            tier(place, summary.confirmed),
            pair(summary.after(0.5), summary.after(0.9), span),
            pair(summary.leaked(0.5), summary.leaked(0.9), |count| {
                format!("{count:.0}")
            }),
            or_none(summary.used(0.9), percent),
        ]);
    }
    grid
}

/// Of the healthy worlds, and of the time before a leak, one row per detector.
pub fn healthy(results: &[&Result]) -> Grid {
    let mut grid = Grid::new([
        "detector",
        "accused, %",
        "as confirmed, %",
        "false alarms / 1000 h",
        "precision",
    ]);
    for (place, detector) in detectors(results).into_iter().enumerate() {
        let summary = Summary::of(outcomes(results, detector));
        grid.row([
            detector.to_owned(),
            share(summary.accused),
            tier(place, summary.accused_confirmed),
            or_none(summary.alarms_per_1000h(), |value| format!("{value:.2}")),
            or_none(summary.precision, |value| format!("{value:.3}")),
        ]);
    }
    grid
}

/// Only the tracer, which comes first, says of what it is sure.
fn tier(place: usize, confirmed: Share) -> String {
    share(if place == 0 { confirmed } else { Share::default() })
}

/// One row per family, one column per detector.
pub fn by_family(results: &[&Result], style: Style) -> Grid {
    let detectors = detectors(results);
    // A terminal is not wide enough; `--list` says it.
    let about = (style == Style::Markdown).then_some("models");
    let columns = ["family"].into_iter().chain(about);
    let mut grid = Grid::new(columns.chain(detectors.iter().copied()));
    for results in results.chunk_by(|a, b| a.family.name == b.family.name) {
        let Some(family) = results.first().map(|result| result.family) else {
            continue;
        };
        let about = about.map(|_| family.about);
        let names = [family.name].into_iter().chain(about).map(str::to_owned);
        let cells = detectors.iter().enumerate().map(|(place, detector)| {
            let summary = Summary::of(outcomes(results, detector));
            let notes = if place == 0 { notes(&summary) } else { Vec::new() };
            cell(&summary, &notes)
        });
        grid.row(names.chain(cells));
    }
    grid
}

/// What one detector made of one family.
fn cell(summary: &Summary, notes: &[String]) -> String {
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

fn notes(summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    if summary.found.all > 0 {
        notes.extend(summary.after(0.5).map(span));
        let late = summary.found.of - summary.found_early.of;
        let off_target = summary.on_target.all - summary.on_target.of;
        for (count, what) in [
            (late, "late"),
            (off_target, "off target"),
            (summary.false_alarms, "false"),
        ] {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        }
    } else if summary.accused_confirmed.of > 0 {
        notes.push(format!("{} confirmed", summary.accused_confirmed.of));
    }
    notes
}
