//! What disturbances did to the tracer's verdicts.

use std::collections::HashMap;

use super::{figure::share, grid::Grid, tracer};
use crate::{disturbance::Disturbance, evaluation::Result, score::Outcome, summary::Summary};

/// What came of the same worlds undisturbed.
pub struct Undisturbed<'a>(HashMap<(&'static str, u64), &'a Outcome>);

impl<'a> Undisturbed<'a> {
    /// Of an evaluation.
    pub fn of(results: &'a [Result]) -> Self {
        let plain = results.iter().filter(|result| result.disturbance.is_none());
        Self(
            plain
                .filter_map(|result| {
                    let outcome = tracer(result)?;
                    Some(((result.family.name, outcome.seed), outcome))
                })
                .collect(),
        )
    }

    /// Of a world.
    pub fn get(&self, result: &Result) -> Option<&'a Outcome> {
        let seed = tracer(result)?.seed;
        self.0.get(&(result.family.name, seed)).copied()
    }

    /// Whether somebody is accused in a healthy world, and nobody without the disturbance.
    pub fn is_newly_accused(&self, result: &Result) -> bool {
        let is_accused = |outcome: &Outcome| !outcome.leaks && outcome.first_false.is_some();
        tracer(result).is_some_and(is_accused) && !self.get(result).is_some_and(is_accused)
    }
}

/// The worlds of one disturbance.
pub fn by(results: &[Result], disturbance: Disturbance) -> impl Iterator<Item = &Result> + Clone {
    results
        .iter()
        .filter(move |result| result.disturbance == Some(disturbance))
}

/// One row per disturbance, the first being none.
pub fn table(results: &[Result]) -> Grid {
    let mut grid = Grid::new([
        "disturbance",
        "leaks found, %",
        "before half, %",
        "healthy accused, %",
        "as confirmed, %",
        "not accused without it",
    ]);
    let mut row = |name: &str, summary: &Summary, new: Option<usize>| {
        grid.row([
            name.to_owned(),
            share(summary.found),
            share(summary.found_early),
            share(summary.accused),
            share(summary.accused_confirmed),
            new.map_or_else(String::new, |new| new.to_string()),
        ]);
    };
    let undisturbed = Undisturbed::of(results);
    let same = by(results, Disturbance::Loss).filter_map(|result| undisturbed.get(result));
    row("none", &Summary::of(same), None);
    for disturbance in Disturbance::ALL {
        let disturbed = by(results, disturbance);
        let new = disturbed
            .clone()
            .filter(|result| undisturbed.is_newly_accused(result));
        let new = new.count();
        row(
            disturbance.name(),
            &Summary::of(disturbed.filter_map(tracer)),
            Some(new),
        );
    }
    grid
}
