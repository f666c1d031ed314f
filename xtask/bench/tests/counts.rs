//! What the user side allocates and weighs must stay what is committed, give or take 5 %. Counts only: they are the same
//! on every machine, and no time is measured.
//!
//! One test, for whatever runs beside it would count.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use bench::{count::Counts, scenes::memory};
use serde_json::Value;

/// As `cargo xtask bench user --counts` prints them.
const COMMITTED: &str = include_str!("../counts.json");
/// Share by which a count may differ.
const TOLERANCE: f64 = 0.05;
/// A count that is nearly none, and may be none.
const NEGLIGIBLE: f64 = 0.002;

#[test]
fn counts_are_those_that_are_committed() {
    let committed: Counts = serde_json::from_str(COMMITTED).unwrap();
    let (expected, found) = (named(&committed), named(&memory::counts()));
    let wrong: Vec<String> = expected
        .iter()
        .zip(&found)
        .filter(|((_, expected), (_, found))| {
            (expected - found).abs() > (expected * TOLERANCE).max(NEGLIGIBLE)
        })
        .map(|((name, expected), (_, found))| format!("{name}: {found:.4} instead of {expected:.4}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\nif that is meant, commit what `cargo xtask bench user --counts` prints as xtask/bench/counts.json",
        wrong.join("\n")
    );
}

fn named(counts: &Counts) -> Vec<(String, f64)> {
    let Value::Object(fields) = serde_json::to_value(counts).unwrap() else {
        panic!("counts are an object");
    };
    fields
        .into_iter()
        .map(|(name, value)| (name, value.as_f64().unwrap()))
        .collect()
}
