//! `tracer list`: what is open now, from one look. Nothing is traced, and nothing is waited for; but for the code that
//! opened it, which nobody knows who has not watched (`stacks`).

mod reading;
mod selection;
mod stacks;

use std::time::SystemTime;

use crate::{
    bpf::environment,
    cli::args::{By, List, ListOutput},
    clock::boot_time,
    enrich,
    model::{connection::Direction, inventory::Inventory},
    output::{
        circumstances::Facts,
        json::{self, Wall},
        list::{self, Listing, View},
    },
    stdout::{Closed, Stdout},
};

/// Looks once, and prints.
///
/// # Errors
/// When nothing can be read here, or stdout cannot be written.
pub fn run(options: List) -> anyhow::Result<()> {
    let view = match options.by {
        _ if options.all => View::Connections,
        By::Stack => return or_closed(stacks::run(options)),
        By::Peer => View::Peers,
        By::Process => View::Processes,
        By::State => View::States,
        By::Listener => View::Listeners,
    };
    let mut filter = options.filters.into_filter();
    if view == View::Listeners {
        filter.direction = Some(Direction::Inbound);
    }
    let connections = u32::try_from(options.max_connections)?;
    let reading = reading::read(&filter, options.snapshots, &options.btf, connections)?;
    let now = boot_time();
    let mut inventory = Inventory::of(&reading.snapshot, now);
    selection::apply(&filter, &mut inventory);
    let facts = match view {
        View::Processes => facts(&inventory),
        _ => Facts::new(),
    };
    let listing = Listing {
        view,
        inventory,
        rows: options.rows.map_or(Ok(usize::MAX), usize::try_from)?,
        own_namespace: environment::own_netns().unwrap_or(0),
        facts,
        source: reading.source,
        degraded: reading.degraded,
    };
    let text = match options.output {
        ListOutput::Json => json::list::lines(&listing, Wall::new(now, SystemTime::now()), now),
        // The others are of stacks only.
        _ => list::render(&listing),
    };
    or_closed(Stdout::new()?.write(&text))
}

/// That nobody reads any more is no failure.
fn or_closed(written: anyhow::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.downcast_ref::<Closed>().is_some() => Ok(()),
        written => written,
    }
}

/// Processes that are described, at most: reading about one takes longer than its rows.
const DESCRIBED: usize = 1000;

fn facts(inventory: &Inventory) -> Facts {
    let mut known = enrich::facts::Facts::new(DESCRIBED);
    let groups = inventory.by_process();
    let processes = groups.iter().take(DESCRIBED).map(|(process, ..)| process);
    processes
        .filter_map(|process| {
            let info = known.look_up(process.id, process.comm)?;
            Some((process.id, info.clone()))
        })
        .collect()
}
