//! The results as tables, for a terminal or in Markdown.

mod detectors;
mod disturbed;
mod figure;
mod grid;
mod requirements;

use std::fmt::Write as _;

use crate::{
    evaluation::Result,
    families::{Family, Set},
    score::Outcome,
};
use disturbed::Undisturbed;
use figure::{percent, span};
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
        (Set::Seen, "Once blind families, looked at since"),
        (Set::HeldOut, "Held-out families"),
        (
            Set::Blind,
            "Blind families, held out: by somebody who had not read the detector",
        ),
        (
            Set::Hostile,
            "Hostile families (X and Y of the prototype), held out",
        ),
    ] {
        let is_meant = |result: &&Result| result.family.set == set && result.disturbance.is_none();
        let results: Vec<&Result> = results.iter().filter(is_meant).collect();
        if results.is_empty() {
            continue;
        }
        let leaks = results.iter().filter(|result| result.family.leaks).count();
        let healthy = results.len() - leaks;
        let title = format!("{title}: {leaks} worlds with a leak, {healthy} without");
        report += &heading(style, &title);
        for table in [
            detectors::leaks(&results),
            detectors::healthy(&results),
            detectors::by_family(&results, style),
        ] {
            report += &table.render(style);
            report.push('\n');
        }
    }
    if results.iter().any(|result| result.disturbance.is_some()) {
        report += &heading(style, "Disturbed: some worlds of all families");
        report += &disturbed::table(results).render(style);
        report.push('\n');
    }
    report += &heading(style, "Requirements");
    report += &requirements::table(results).render(style);
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

/// Every world in which the tracer was wrong, with its seed: to look at it again. Of disturbed ones, those in which it
/// was wrong because of that.
pub fn failures(results: &[Result]) -> String {
    let undisturbed = Undisturbed::of(results);
    let mut lines = String::new();
    for result in results {
        let Some(outcome) = tracer(result) else {
            continue;
        };
        let mut wrong = failure(outcome);
        if result.disturbance.is_some()
            && undisturbed
                .get(result)
                .is_some_and(|before| failure(before).len() >= wrong.len())
        {
            wrong.clear();
        }
        if !wrong.is_empty() {
            let name = result.family.name;
            let disturbance = result
                .disturbance
                .map_or_else(String::new, |disturbance| format!(", {}", disturbance.name()));
            let _ = writeln!(
                lines,
                "{name} seed {}{disturbance}: {}",
                outcome.seed,
                wrong.join(", ")
            );
        }
    }
    lines
}

/// What was wrong.
fn failure(outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    if outcome.leaks {
        match outcome.hit {
            None => wrong.push("not found".to_owned()),
            Some(hit) if !hit.before_half => {
                let after = span(hit.after);
                wrong.push(format!("found late, after {after} at {}", percent(hit.used)));
            }
            Some(_) => {}
        }
    }
    if let Some(at) = outcome.first_false {
        wrong.push(format!("false alarm at {}", span(at)));
    }
    if let Some(at) = outcome.confirmed_false {
        wrong.push(format!("confirmed at {}", span(at)));
    }
    wrong
}

fn heading(style: Style, title: &str) -> String {
    match style {
        Style::Terminal => format!("{title}\n\n"),
        Style::Markdown => format!("#### {title}\n\n"),
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

/// What came of the tracer's own verdicts.
fn tracer(result: &Result) -> Option<&Outcome> {
    result.outcomes.first().map(|(_, outcome)| outcome)
}

#[cfg(test)]
mod tests;
