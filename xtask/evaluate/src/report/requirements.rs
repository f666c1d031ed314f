//! What the detector must hold to, and whether it did.

use super::{
    disturbed::{Undisturbed, by},
    figure::{percent, share, span},
    grid::Grid,
    tracer,
};
use crate::{
    disturbance::Disturbance,
    evaluation::Result,
    families::Set,
    interval::Share,
    number::real,
    score::Outcome,
    summary::Summary,
    world::{NEVER, Target},
};

/// Of leaks that are not used for tuning, at least this share is found before half of the limit is used.
const RECALL: f64 = 0.98;
/// Of healthy worlds that are not used for tuning, at most this share is ever accused,
const ACCUSED: f64 = 0.02;
/// and at most this one as confirmed.
const CONFIRMED: f64 = 0.002;
/// False alarms in a thousand healthy hours, at most.
const ALARMS: f64 = 0.3;

/// One row per requirement.
pub fn table(results: &[Result]) -> Grid {
    let mut grid = Grid::new(["what must hold", "wanted", "measured", "met"]);
    let held_out = |result: &&Result| {
        matches!(result.family.set, Set::HeldOut | Set::Blind) && result.disturbance.is_none()
    };
    let outcomes: Vec<&Outcome> = results.iter().filter(held_out).filter_map(tracer).collect();
    if !outcomes.is_empty() {
        whole(&mut grid, &Summary::of(outcomes));
    }
    let plain: Vec<&Result> = results
        .iter()
        .filter(|result| result.disturbance.is_none())
        .collect();
    for family in plain.chunk_by(|a, b| a.family.name == b.family.name) {
        in_time(&mut grid, family);
    }
    let undisturbed = Undisturbed::of(results);
    for disturbance in Disturbance::ALL {
        let healthy = by(results, disturbance).filter(|result| !result.family.leaks);
        let all = healthy.clone().count();
        let new = healthy
            .filter(|result| undisturbed.is_newly_accused(result))
            .count();
        if all > 0 {
            grid.row([
                format!("{}: accused for it", disturbance.name()),
                "0".to_owned(),
                format!("{new} of {all}"),
                met(new == 0),
            ]);
        }
    }
    grid
}

/// Over all held-out families, the blind ones among them.
fn whole(grid: &mut Grid, summary: &Summary) {
    let mut row = |what: &str, wanted: String, measured: String, is_met: bool| {
        grid.row([format!("held out: {what}"), wanted, measured, met(is_met)]);
    };
    let mut of_share = |what, found: Share, wanted: String, holds: fn(f64) -> bool| {
        if let Some(value) = found.value() {
            row(what, wanted, format!("{} %", share(found)), holds(value));
        }
    };
    of_share(
        "leaks found before half the limit",
        summary.found_early,
        format!("at least {}", percent(RECALL)),
        |value| value >= RECALL,
    );
    of_share(
        "healthy worlds accused",
        summary.accused,
        format!("at most {}", percent(ACCUSED)),
        |value| value <= ACCUSED,
    );
    of_share(
        "accused as confirmed",
        summary.accused_confirmed,
        format!("at most {:.1} %", 100.0 * CONFIRMED),
        |value| value <= CONFIRMED,
    );
    if let Some(alarms) = summary.alarms_per_1000h() {
        row(
            "false alarms in 1000 h",
            format!("at most {ALARMS}"),
            format!("{alarms:.2}"),
            alarms <= ALARMS,
        );
    }
}

/// A family that must be found within a time: the worst of its worlds counts.
fn in_time(grid: &mut Grid, family: &[&Result]) {
    let outcomes: Vec<&Outcome> = family.iter().filter_map(|result| tracer(result)).collect();
    let Some((name, target)) = family.first().and_then(|result| {
        let target = tracer(result)?.target?;
        Some((result.family.name, target))
    }) else {
        return;
    };
    let Target { within, wished } = target;
    let after = |outcome: &&Outcome| outcome.hit.map_or(NEVER, |hit| hit.after);
    let worst = outcomes.iter().map(after).fold(0.0, f64::max);
    let found = if worst.is_finite() {
        format!("{} at worst", span(worst))
    } else {
        let missed = outcomes.iter().filter(|outcome| outcome.hit.is_none()).count();
        format!("{missed} of {} not found", outcomes.len())
    };
    let wanted = format!("within {}", span(within));
    let (wanted, measured) = if wished < within {
        let share = outcomes.iter().filter(|outcome| after(outcome) <= wished).count();
        let share = percent(real(share) / real(outcomes.len()));
        let wished = span(wished);
        (
            format!("{wanted}, better {wished}"),
            format!("{found}, {share} in {wished}"),
        )
    } else {
        (wanted, found)
    };
    grid.row([format!("{name}: found"), wanted, measured, met(worst <= within)]);
}

fn met(is_met: bool) -> String {
    if is_met { "yes" } else { "NO" }.to_owned()
}
