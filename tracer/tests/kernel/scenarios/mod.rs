//! What is tested.

mod acceptors;
mod alerts;
mod attribution;
mod budgets;
mod churn;
mod ending;
mod failed;
mod filters;
mod flood;
mod held;
mod leaked_before;
mod lifecycle;
mod limits;
mod listing;
mod listing_stacks;
mod logs;
mod lossy;
mod names;
mod namespaces;
mod owners;
mod phases;
mod recorded;
mod several;
mod snapshots;
mod stacks;
mod stalled;
mod unaccepted;
mod unreachable;
mod unusual;

use crate::harness::Scenario;

/// All scenarios by name.
pub const ALL: &[(&str, Scenario)] = &[
    ("lifecycle", lifecycle::lifecycle),
    ("churn", churn::churn),
    ("refused", failed::refused),
    ("abandoned", failed::abandoned),
    ("failures_by_peer", failed::failures_by_peer),
    ("retry_after_refusal", failed::retry_after_refusal),
    ("reset_held", held::reset_held),
    ("reset_before_accept", held::reset_before_accept),
    ("shutdown_is_not_close", held::shutdown_is_not_close),
    ("half_closed", phases::half_closed),
    ("dead_by_reset", phases::dead_by_reset),
    ("dead_by_destroy", phases::dead_by_destroy),
    ("dead_before", phases::dead_before),
    ("unaccepted", unaccepted::unaccepted),
    ("unaccepted_before", unaccepted::unaccepted_before),
    ("reconnect", held::reconnect),
    ("self_connect", unusual::self_connect),
    ("moved_out_of_sight", unusual::moved_out_of_sight),
    ("inherited", held::inherited),
    ("filters", filters::filters),
    ("namespaces", namespaces::namespaces),
    ("cables", namespaces::cables),
    ("unreachable", unreachable::unreachable),
    ("fast_open", unusual::fast_open),
    ("migrated", unusual::migrated),
    ("multipath_listener", unusual::multipath_listener),
    ("multipath", unusual::multipath),
    ("own_process", attribution::own_process),
    ("older", snapshots::older),
    ("older_without_iterators", snapshots::older_without_iterators),
    ("leaked_before", leaked_before::leaked_before),
    ("leaked_before_fork", leaked_before::leaked_before_fork),
    ("held_twice", owners::held_twice),
    ("passed_on", owners::passed_on),
    ("left_to_child", owners::left_to_child),
    ("budgets", budgets::budgets),
    ("two_tracers", several::two_tracers),
    ("killed", several::killed),
    ("restarted", several::restarted),
    ("acceptors_blocked_before", acceptors::blocked_before),
    ("acceptors_blocked_after", acceptors::blocked_after),
    ("thread_name", names::thread_name),
    ("exec", names::exec),
    ("pid_namespace", names::pid_namespace),
    ("hostile_comm", names::hostile_comm),
    ("leak_alert", alerts::leak_alert),
    ("close_flood", alerts::close_flood),
    ("little_lost", lossy::little_lost),
    ("much_lost", lossy::much_lost),
    ("innocent", lossy::innocent),
    ("stalled_at_limit", stalled::stalled_at_limit),
    ("stalled_idle", stalled::stalled_idle),
    ("stacks_c", stacks::c),
    ("stacks_c_bare", stacks::c_without_frame_pointers),
    ("stacks_c_stripped", stacks::c_stripped),
    ("stacks_cpp", stacks::cpp),
    ("stacks_rust", stacks::rust),
    ("stacks_go", stacks::go),
    ("stacks_go_stripped", stacks::go_stripped),
    ("stacks_node", stacks::node),
    ("stacks_node_dials", stacks::node_dials),
    ("stacks_python", stacks::python),
    ("stacks_container", stacks::container),
    ("stacks_two_sites", stacks::two_sites),
    ("stacks_off", stacks::off),
    ("stacks_thousand", stacks::thousand),
    ("stacks_table_full", stacks::table_full),
    ("recorded", recorded::recorded),
    ("recorded_until_killed", recorded::recorded_until_killed),
    ("listing", listing::listing),
    ("listing_stacks", listing_stacks::listing_stacks),
    ("kernel_log", logs::kernel_log),
    ("max_connections", limits::max_connections),
    ("crowded", limits::crowded),
    ("ring_overflow", limits::ring_overflow),
    ("small_tables", flood::small_tables),
    ("flood", flood::flood),
    ("signals", ending::signals),
    ("duration", ending::duration),
    ("stdout_closed", ending::stdout_closed),
];

/// Those about what comes behind the hooks, the same whichever they are: they run with the best backend of each kernel,
/// and not with all. Emulated kernels take a quarter of an hour as it is.
pub const BEHIND_THE_HOOKS: &[&str] = &[
    "older_without_iterators",
    "leaked_before_fork",
    "left_to_child",
    "budgets",
    "restarted",
    "exec",
    "hostile_comm",
    "close_flood",
    "stalled_at_limit",
    "stalled_idle",
    "stacks_c_bare",
    "stacks_c_stripped",
    "stacks_cpp",
    "stacks_rust",
    "stacks_go",
    "stacks_go_stripped",
    "stacks_node",
    "stacks_node_dials",
    "stacks_python",
    "stacks_container",
    "stacks_off",
    "recorded",
    "recorded_until_killed",
    "listing",
    "listing_stacks",
    "kernel_log",
    "small_tables",
    "signals",
    "duration",
    "stdout_closed",
];
