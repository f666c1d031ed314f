//! What may not get dearer: the committed figures.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::cases::{CASES, Case, Run};
use super::figures::{Figures, Row};
use super::{Programs, measure};
use crate::process::say;
use crate::vm::Series;

/// The figures of the last change that meant to change them (docs/performance.md says how they are written).
const COMMITTED: &str = include_str!("committed.json");
/// How the cases of the tracer begin.
const TRACER: &str = "tracer ";
/// Percent that a figure may be above its committed one.
const TOLERANCE: i64 = 5;

/// Measures the tracer again, as it was measured for the committed figures, and fails if anything has become dearer.
pub(crate) fn gate(tracer: &Path) -> Result<()> {
    let committed: Vec<Figures> = serde_json::from_str(COMMITTED).context("the committed figures")?;
    let [committed] = &committed[..] else {
        bail!("the committed figures are of one kernel");
    };
    let is_part = |case: &&Case| matches!(case.run, Run::Nothing | Run::Tracer(_));
    let cases: Vec<&Case> = CASES.iter().filter(is_part).collect();
    let programs = Programs::build(Some(tracer))?;
    let report = measure(Series::V6_12, committed.connections, &cases, &programs)?;
    let now = Figures::new(&report, &cases, committed.connections)?;
    print!("{}", super::table::of(std::slice::from_ref(&now)));
    let dearer = compare(committed, &now);
    if dearer.is_empty() {
        return Ok(());
    }
    bail!(
        "tracing costs more than the committed figures (of kernel {}, now {}) allow:\n{}\nIf it must, commit new \
         figures and say why",
        committed.kernel,
        now.kernel,
        dearer.join("\n")
    );
}

/// Each figure that is more than the tolerance above its committed one, as a line for people.
fn compare(committed: &Figures, now: &Figures) -> Vec<String> {
    let mut dearer = Vec::new();
    // What was measured beside the tracer says nothing about it.
    for then in committed.rows.iter().filter(|row| row.case.starts_with(TRACER)) {
        let Some(now) = now.rows.iter().find(|row| row.case == then.case) else {
            dearer.push(format!("{}: not measured", then.case));
            continue;
        };
        for (what, was, is) in figures(then, now) {
            let line = format!(
                "{}: {is} instructions per connection {what}, {was} were committed",
                then.case
            );
            if is * 100 > was * (100 + TOLERANCE) {
                dearer.push(line);
            } else if is * 100 < was * (100 - TOLERANCE) {
                say(format_args!("cheaper, new figures may be committed: {line}"));
            }
        }
    }
    dearer
}

fn figures(then: &Row, now: &Row) -> [(&'static str, i64, i64); 2] {
    let programs = |row: &Row| row.programs.cast_signed();
    [
        ("added in all", then.added, now.added),
        ("in BPF programs", programs(then), programs(now)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> Figures {
        let all: Vec<Figures> = serde_json::from_str(COMMITTED).unwrap();
        all.into_iter().next().unwrap()
    }

    #[test]
    fn the_committed_figures_are_of_every_backend() {
        let committed = committed();
        for case in CASES.iter().filter(|case| matches!(case.run, Run::Tracer(_))) {
            assert!(case.name.starts_with(TRACER), "{}", case.name);
            let row = committed.rows.iter().find(|row| row.case == case.name);
            assert!(row.is_some_and(|row| row.added > 0), "{}", case.name);
        }
    }

    #[test]
    fn more_than_the_tolerance_is_too_much() {
        let row = |case: &str, added, programs| Row {
            case: case.to_owned(),
            added,
            programs,
            process: None,
            idle: 0,
            by_program: Vec::new(),
        };
        let was = Figures {
            rows: vec![row("tracer x", 10_000, 4_000), row("nothing, again", -100, 0)],
            ..committed()
        };
        let with = |added, programs| {
            let mut now = was.clone();
            (now.rows[0].added, now.rows[0].programs) = (added, programs);
            compare(&was, &now).len()
        };
        assert_eq!(with(10_500, 4_200), 0);
        assert_eq!(with(10_501, 4_200), 1);
        assert_eq!(with(10_501, 4_201), 2);
        assert_eq!(with(9_000, 3_000), 0);
        let none = Figures {
            rows: Vec::new(),
            ..was.clone()
        };
        assert_eq!(compare(&was, &none).len(), 1, "not measured");
    }
}
