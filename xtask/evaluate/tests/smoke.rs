//! What no change of the detector may break: plain leaks are found in time, plain healthy workloads are left alone, and
//! no loss or restart changes that.

use std::{num::NonZeroUsize, thread};

use evaluate::{
    drive::Options,
    evaluation::{Plan, Result},
    families, selection,
};

const LEAKS: &str = "L_demo,L_founding,L_reconcile_grpc,L_accept_queue,L_accumulated_server";
const HEALTHY: &str =
    "H_pool_warmup,H_pool_maxlife,H_kube_watch,H_healthcheck,H_lifo_pool,H_rolling_deploy,H_grpc_few";

fn evaluate(patterns: &str) -> Vec<Result> {
    let families = selection::select(families::all(), patterns);
    assert_eq!(
        families.len(),
        patterns.split(',').count(),
        "every family is there"
    );
    let plan = Plan {
        families,
        first_seed: 1,
        seeds: 1,
        disturbed: 1,
        options: Options {
            baselines: false,
            // Enough for what takes minutes, and a third of the time.
            tick: 15.0,
            ..Options::default()
        },
        threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let results = plan.run();
    assert!(results.iter().any(|result| result.disturbance.is_none()));
    assert!(results.iter().any(|result| result.disturbance.is_some()));
    results
}

#[test]
fn plain_leaks_are_found() {
    for result in evaluate(LEAKS) {
        let name = result.family.name;
        let (detector, outcome) = result.outcomes.first().unwrap();
        assert_eq!(*detector, "tracer");
        assert_eq!(outcome.false_alarms, 0, "{name}: {outcome:?}");
        // After a restart there may be less time than the leak needs.
        if result.disturbance.is_none() {
            assert!(
                outcome.hit.is_some_and(|hit| hit.before_half),
                "{name}: {outcome:?}"
            );
            assert_ne!(outcome.on_target(), Some(false), "{name}: {outcome:?}");
        }
    }
}

#[test]
fn plain_healthy_workloads_are_left_alone() {
    for result in evaluate(HEALTHY) {
        let (_, outcome) = result.outcomes.first().unwrap();
        assert_eq!(
            outcome.false_alarms, 0,
            "{} {:?}: {outcome:?}",
            result.family.name, result.disturbance
        );
    }
}
