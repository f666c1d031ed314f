//! What is tested.

mod acceptors;
mod alerts;
mod churn;
mod ending;
mod failed;
mod filters;
mod held;
mod lifecycle;
mod limits;
mod logs;
mod names;
mod namespaces;
mod several;
mod snapshots;
mod unusual;

use crate::harness::Scenario;

/// All scenarios by name.
pub const ALL: &[(&str, Scenario)] = &[
    ("lifecycle", lifecycle::lifecycle),
    ("churn", churn::churn),
    ("refused", failed::refused),
    ("abandoned", failed::abandoned),
    ("retry_after_refusal", failed::retry_after_refusal),
    ("reset_held", held::reset_held),
    ("reset_before_accept", held::reset_before_accept),
    ("shutdown_is_not_close", held::shutdown_is_not_close),
    ("reconnect", held::reconnect),
    ("self_connect", unusual::self_connect),
    ("moved_out_of_sight", unusual::moved_out_of_sight),
    ("inherited", held::inherited),
    ("filters", filters::filters),
    ("namespaces", namespaces::namespaces),
    ("older", snapshots::older),
    ("two_tracers", several::two_tracers),
    ("killed", several::killed),
    ("acceptors_blocked_before", acceptors::blocked_before),
    ("acceptors_blocked_after", acceptors::blocked_after),
    ("thread_name", names::thread_name),
    ("exec", names::exec),
    ("hostile_comm", names::hostile_comm),
    ("leak_alert", alerts::leak_alert),
    ("kernel_log", logs::kernel_log),
    ("max_connections", limits::max_connections),
    ("ring_overflow", limits::ring_overflow),
    ("signals", ending::signals),
    ("duration", ending::duration),
    ("stdout_closed", ending::stdout_closed),
];
