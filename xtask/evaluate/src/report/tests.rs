use std::num::NonZeroUsize;

use super::*;
use crate::{drive::Options, evaluation::Plan, families, interval::Share, selection, summary::Summary};

/// Everything at once, on few and short worlds.
#[test]
fn a_small_evaluation() {
    let plan = |threads| Plan {
        families: selection::select(families::all(), "L_fast,H_heavy_churn"),
        first_seed: 1,
        seeds: 2,
        disturbed: 0,
        options: Options::default(),
        threads: NonZeroUsize::new(threads).unwrap(),
    };
    let results = plan(1).run();
    assert_eq!(results.len(), 4);
    let report = render(&results, Style::Terminal);
    assert!(
        report.contains("L_fast") && report.contains("H_heavy_churn"),
        "{report}"
    );
    // The fast leak passes 200 open connections within minutes, and the churn never does.
    let many: Vec<&Result> = results.iter().collect();
    let summary = Summary::of(outcomes(&many, "200 open"));
    assert_eq!(summary.found, Share { of: 2, all: 2 });
    assert_eq!(summary.accused, Share { of: 0, all: 2 });
    assert_eq!(
        report,
        render(&plan(3).run(), Style::Terminal),
        "however many threads"
    );
    assert!(render(&results, Style::Markdown).starts_with("#### Families used for tuning: "));
}
