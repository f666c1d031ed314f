//! `tracer list --by stack`: watches for a while, and lists what opened meanwhile and is still open. One look cannot tell:
//! the kernel does not remember which code opened a connection.

use clap::Parser as _;

use crate::{
    analysis::talk,
    cli::args::{Args, List, ListOutput},
    clock::boot_time,
    model::by_stack::ByStack,
    output::{export::Export, folded, json, list::stacks, span},
    runtime::{self, Watched},
};

/// Watches, and prints.
///
/// # Errors
/// When nothing can be traced here, or stdout cannot be written.
pub fn run(options: List) -> anyhow::Result<()> {
    let duration = options.watch_for();
    let rows = options.rows.map_or(Ok(usize::MAX), usize::try_from)?;
    // All else is as it is in watching.
    let mut watch = Args::try_parse_from(["tracer"])?.watch;
    watch.filters = options.filters;
    watch.max_connections = options.max_connections;
    watch.snapshots = options.snapshots;
    watch.btf = options.btf;
    watch.duration = Some(duration);
    let mut settings = watch.into_settings(false)?;
    settings.analysis.silent = true;
    settings.looks_all_up = true;
    talk(&format!(
        "tracer: listing what opens within {} and stays open; Ctrl-C ends it early\n",
        span::human(duration)
    ));
    let began = boot_time();
    let Watched { analysis, books } = runtime::watch(&settings)?;
    let now = boot_time();
    let found = ByStack::of(analysis.ledger());
    let watched = now.since(began).min(duration);
    let text = match options.output {
        ListOutput::Text => stacks::render(&found, rows, watched),
        ListOutput::Json => json::list::stacks(
            &found,
            rows,
            watched,
            books,
            &analysis.degraded,
            analysis.wall,
            now,
        ),
        ListOutput::Folded => Export::Folded.render(&folded::stacks_since(analysis.ledger()))?,
        #[cfg(feature = "flamegraph")]
        ListOutput::Flamegraph => Export::Flamegraph.render(&folded::stacks_since(analysis.ledger()))?,
    };
    analysis.into_out().write(&text)
}
