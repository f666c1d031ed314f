//! One line for each connection.

use super::{
    Namespaces,
    grid::{Grid, left, right},
    more,
};
use crate::{
    model::{
        connection::{Direction, Phase},
        inventory::{Inventory, Listed},
    },
    output::{span, text},
};

/// The rows, at most `rows` of them, and how many there are in all.
pub fn render(inventory: &Inventory, rows: usize, namespaces: Namespaces) -> (String, usize) {
    let mut grid = Grid::new([
        left("process"),
        right("fd"),
        right("local"),
        left(""),
        left("peer"),
        left("phase"),
        right("age"),
        right("idle"),
        right("netns"),
    ]);
    for listed in inventory.connections.iter().take(rows) {
        let arrow = match listed.direction {
            Direction::Outbound => "->",
            Direction::Inbound => "<-",
        };
        let fd = listed.holders.first().and_then(|holder| holder.fd);
        grid.row([
            holders(listed),
            fd.map_or(String::new(), |fd| fd.to_string()),
            listed.local.to_string(),
            arrow.to_owned(),
            listed.peer.to_string(),
            phase(listed.phase),
            format!("≥ {}", span::human(listed.age_at_least)),
            listed
                .traffic
                .map_or(String::new(), |traffic| span::human(traffic.idle)),
            namespaces.one(listed.netns),
        ]);
    }
    (grid.render(), inventory.connections.len())
}

/// `controller[4711]`, `controller[4711] +2 more`: as many descriptors more.
fn holders(listed: &Listed) -> String {
    let Some(first) = listed.holders.first() else {
        return "nobody".to_owned();
    };
    let name = text::process(first.process, first.comm);
    more(name, listed.holders.len() - 1)
}

fn phase(phase: Phase) -> String {
    match phase {
        Phase::Unaccepted { given_up: true } => format!("{}, given up", phase.name()),
        phase => phase.name().to_owned(),
    }
}
