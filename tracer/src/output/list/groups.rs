//! One line for each group of connections.

use super::{
    Namespaces,
    grid::{Column, Grid, left, right},
    more, phases,
};
use crate::{
    model::{
        connection::Phase,
        inventory::{
            Inventory,
            groups::{Counts, Group, NamedProcess},
        },
        listener::ListeningSocket,
        snapshot::Descriptors,
    },
    output::{number::grouped, span, table, text},
};

/// Columns that all groups have behind their own.
const COUNTS: [Column; 4] = [right("open"), right("oldest"), right("median"), right("idle")];

fn counts(group: &Group) -> [String; 4] {
    let ages = group.ages.map_or([const { String::new() }; 2], |ages| {
        [ages.oldest, ages.median].map(table::age)
    });
    let [oldest, median] = ages;
    [
        grouped(group.counts.held.open.into()),
        oldest,
        median,
        idle(group),
    ]
}

/// `2s - 3h 4m`: the shortest and the longest.
fn idle(group: &Group) -> String {
    let Some((least, most)) = group.idle else {
        return String::new();
    };
    match (span::human(least), span::human(most)) {
        (least, most) if least == most => least,
        (least, most) => format!("{least} - {most}"),
    }
}

/// The phases other than open.
fn not_open(counts: &Counts) -> String {
    let others = counts
        .each()
        .into_iter()
        .filter(|(phase, _)| *phase != Phase::Open);
    phases(others.filter(|(_, count)| *count > 0))
}

fn held_by(group: &Group) -> String {
    match group.holders.as_slice() {
        [] => "nobody".to_owned(),
        [(first, _), others @ ..] => more(text::process(first.id, first.comm), others.len()),
    }
}

/// Per peer: the rows, at most `rows` of them, and how many there are in all.
pub fn peers(inventory: &Inventory, rows: usize, namespaces: Namespaces) -> (String, usize) {
    let groups = inventory.by_peer();
    let behind = [left("held by"), right("netns"), left("not open")];
    let mut grid = Grid::new([left("peer")].into_iter().chain(COUNTS).chain(behind));
    for (key, group) in groups.iter().take(rows) {
        let own = [table::peer_name(key)];
        let behind = [
            held_by(group),
            namespaces.of(&group.namespaces),
            not_open(&group.counts),
        ];
        grid.row(own.into_iter().chain(counts(group)).chain(behind));
    }
    (grid.render(), groups.len())
}

/// Per process.
pub fn processes(inventory: &Inventory, rows: usize, namespaces: Namespaces) -> (String, usize) {
    let groups = inventory.by_process();
    let behind = [right("fds"), right("netns"), left("not open")];
    let mut grid = Grid::new([left("process")].into_iter().chain(COUNTS).chain(behind));
    for (NamedProcess { id, comm }, descriptors, group) in groups.iter().take(rows) {
        let own = [text::process(*id, *comm)];
        let behind = [
            descriptors.as_ref().map_or(String::new(), used),
            namespaces.of(&group.namespaces),
            not_open(&group.counts),
        ];
        grid.row(own.into_iter().chain(counts(group)).chain(behind));
    }
    (grid.render(), groups.len())
}

/// `57/64`: in use, of so many that may be.
fn used(descriptors: &Descriptors) -> String {
    let used = grouped(descriptors.used.into());
    match descriptors.limit {
        Some(limit) => format!("{used}/{}", grouped(limit)),
        None => used,
    }
}

/// Per phase.
pub fn states(inventory: &Inventory, rows: usize, namespaces: Namespaces) -> (String, usize) {
    let groups = inventory.by_state();
    let mut grid = Grid::new([
        left("state"),
        right("connections"),
        right("oldest"),
        right("median"),
        right("idle"),
        left("held by"),
        right("netns"),
    ]);
    for (phase, group) in groups.iter().take(rows) {
        let [_, oldest, median, idle] = counts(group);
        grid.row([
            phase.name().to_owned(),
            grouped(group.counts.total()),
            oldest,
            median,
            idle,
            held_by(group),
            namespaces.of(&group.namespaces),
        ]);
    }
    (grid.render(), groups.len())
}

/// Per listening socket.
pub fn listeners(inventory: &Inventory, rows: usize, namespaces: Namespaces) -> (String, usize) {
    let groups = inventory.by_listener();
    let own = [
        left("listener"),
        left("process"),
        right("queue"),
        right("waiting"),
    ];
    let behind = [right("netns"), left("not open")];
    let mut grid = Grid::new(own.into_iter().chain(COUNTS).chain(behind));
    for (socket, group) in groups.iter().take(rows) {
        let own = match socket {
            Some(socket) => listener(socket),
            // They wait in the queue of a socket that was not read.
            None => ["none".to_owned(), held_by(group), String::new(), String::new()],
        };
        let namespace = match socket {
            Some(socket) => namespaces.one(socket.netns),
            None => namespaces.of(&group.namespaces),
        };
        // The queue says how many are unaccepted.
        let others = Counts {
            unaccepted: if socket.is_some() {
                0
            } else {
                group.counts.unaccepted
            },
            ..group.counts
        };
        let behind = [namespace, not_open(&others)];
        grid.row(own.into_iter().chain(counts(group)).chain(behind));
    }
    (grid.render(), groups.len())
}

/// Address, process, `3/128` that wait, and how long the one that waits longest has.
fn listener(socket: &ListeningSocket) -> [String; 4] {
    let (process, comm) = socket.owner();
    [
        socket.local.to_string(),
        more(
            text::process(process, comm),
            socket.holders.len().saturating_sub(1),
        ),
        format!(
            "{}/{}",
            grouped(socket.queued.into()),
            grouped(socket.queue_limit.unwrap_or_default().into())
        ),
        socket.longest_wait().map_or(String::new(), span::human),
    ]
}
