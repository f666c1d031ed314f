//! What is open now, for people: a table, and a line that sums it up.

mod connections;
mod grid;
mod groups;
pub mod stacks;

use std::{collections::BTreeSet, fmt::Write as _};

use anstyle::{AnsiColor, Style};

use super::{circumstances::Facts, number::grouped};
use crate::model::{
    connection::Phase,
    inventory::{Inventory, groups::Counts},
};

const ALARM: Style = AnsiColor::Red.on_default().bold();

/// What is to be shown, and how it was come by.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What makes a row.
    pub view: View,
    /// What is open.
    pub inventory: Inventory,
    /// Rows to show at most.
    pub rows: usize,
    /// Inode number of the reader's own network namespace: others are named.
    pub own_namespace: u32,
    /// What is known of the processes.
    pub facts: Facts,
    /// How it was read: the name of the means.
    pub source: &'static str,
    /// What cannot be seen that way, one sentence each.
    pub degraded: Vec<String>,
}

/// What makes a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Each connection.
    Connections,
    /// A peer.
    Peers,
    /// A process.
    Processes,
    /// A phase.
    States,
    /// A listening socket.
    Listeners,
}

/// The whole text; colours are removed where they are not wanted, by whoever writes it.
pub fn render(listing: &Listing) -> String {
    let Listing {
        view,
        inventory,
        rows,
        degraded,
        ..
    } = listing;
    let namespaces = Namespaces(listing.own_namespace);
    let (mut rendered, all) = match view {
        View::Connections => connections::render(inventory, *rows, namespaces),
        View::Peers => groups::peers(inventory, *rows, namespaces),
        View::Processes => groups::processes(inventory, *rows, namespaces),
        View::States => groups::states(inventory, *rows, namespaces),
        View::Listeners => groups::listeners(inventory, *rows, namespaces),
    };
    let hidden = all.saturating_sub(*rows);
    // Writing to a String cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _: std::fmt::Result = writeln!(rendered, "{text}");
    };
    if hidden > 0 {
        line(format_args!(" ... and {hidden} more; raise --rows to see them"));
    }
    for what in degraded {
        line(format_args!("degraded: {what}"));
    }
    line(format_args!("{}; {}", sum(&inventory.total()), left_out(listing)));
    rendered
}

/// `1,024 open, 3 half_closed_remote`; what there is none of is not named, but for open ones.
fn sum(counts: &Counts) -> String {
    let each = counts.each().into_iter();
    phases(each.filter(|(phase, count)| *count > 0 || *phase == Phase::Open))
}

fn phases(counts: impl Iterator<Item = (Phase, u32)>) -> String {
    let words: Vec<String> = counts
        .map(|(phase, count)| format!("{} {}", grouped(count.into()), phase.name()))
        .collect();
    words.join(", ")
}

/// `controller[4711] +2 more`.
fn more(name: String, others: usize) -> String {
    match others {
        0 => name,
        others => format!("{name} +{others} more"),
    }
}

fn left_out(listing: &Listing) -> String {
    let inventory = &listing.inventory;
    let causes = [
        (
            inventory.untracked,
            "for which the table had no room (raise --max-connections)",
        ),
        (inventory.undecided, "that may or may not be held"),
        (
            inventory.unread_unaccepted(),
            "unaccepted, far back in their queues",
        ),
    ];
    let named: Vec<String> = causes
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, cause)| format!("{} {cause}", grouped(count)))
        .collect();
    match (named.as_slice(), listing.degraded.as_slice()) {
        ([], []) => "nothing was left out".to_owned(),
        ([], _) => "nothing else was left out".to_owned(),
        (named, _) => format!("{ALARM}LEFT OUT{ALARM:#} {}", named.join(", ")),
    }
}

/// Names network namespaces, by inode number, where they are not the reader's own.
#[derive(Clone, Copy)]
struct Namespaces(u32);

impl Namespaces {
    fn one(self, namespace: u32) -> String {
        match namespace {
            0 => String::new(),
            namespace if namespace == self.0 => String::new(),
            namespace => namespace.to_string(),
        }
    }

    fn of(self, namespaces: &BTreeSet<u32>) -> String {
        match namespaces.first() {
            Some(first) if namespaces.len() == 1 => self.one(*first),
            Some(_) => format!("{} different", namespaces.len()),
            None => String::new(),
        }
    }
}
