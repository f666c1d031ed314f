//! The compact table.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::{span, text};
use crate::model::{
    connection::{Direction, Peer, PeerKey},
    tally::Tally,
    view::{Age, ProcessKey, Row},
};

/// Column titles behind the first: counts, ages of what is open (`age p90`: nine of ten are younger), lifetimes of
/// what closed.
const COUNTS: [&str; 10] = [
    "open",
    "+/min",
    "-/min",
    "opened",
    "closed",
    "oldest",
    "age p50",
    "age p90",
    "lived p50",
    "lived p90",
];

/// Both views under one line of totals.
pub fn render(
    clock: &str,
    processes: &(Vec<Row<ProcessKey>>, usize),
    peers: &(Vec<Row<PeerKey>>, usize),
    total: &Tally,
    notes: &str,
) -> String {
    let before = match total.older {
        0 => String::new(),
        older => format!(", {older} found open"),
    };
    let mut rendered = format!(
        "{clock} {} open{before}, {} opened, {} closed, {} failed, {} connecting; {notes}\n",
        total.open, total.opened, total.closed, total.failed, total.connecting
    );
    if total.opened == 0 && total.older == 0 && total.connecting == 0 && total.failed == 0 {
        return rendered;
    }
    part(&mut rendered, "process", processes, |key| {
        text::process(key.id, key.comm)
    });
    part(&mut rendered, "peer", peers, peer_name);
    rendered
}

fn part<K>(
    rendered: &mut String,
    title: &str,
    (rows, all): &(Vec<Row<K>>, usize),
    name: impl Fn(&K) -> String,
) {
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(std::iter::once(title).chain(COUNTS));
    for row in rows {
        let ages = row.ages.map_or([const { String::new() }; 3], |ages| {
            [ages.oldest, ages.median, ages.p90].map(age)
        });
        let lifetimes = row
            .lifetimes
            .map_or([const { String::new() }; 2], |(median, p90)| {
                [median, p90].map(span::human)
            });
        let counts = [
            row.open.to_string(),
            row.opened_per_minute.to_string(),
            row.closed_per_minute.to_string(),
            row.opened.to_string(),
            row.closed.to_string(),
        ];
        let cells = std::iter::once(name(&row.key)).chain(counts);
        table.add_row(cells.chain(ages).chain(lifetimes));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for line in table.lines() {
        rendered.push_str(line.trim_end());
        rendered.push('\n');
    }
    let hidden = all.saturating_sub(rows.len());
    if hidden > 0 {
        // Writing to a String cannot fail.
        let _: std::fmt::Result = writeln!(rendered, " ... and {hidden} more; raise --rows to see them");
    }
}

/// `14s`; `≥ 14s` for what opened before anybody watched.
fn age(age: Age) -> String {
    let span = span::human(age.span);
    if age.at_least { format!("≥ {span}") } else { span }
}

/// `-> 10.0.0.7:9090` or `:9090 <- 10.0.0.9`.
pub fn peer_name(key: &PeerKey) -> String {
    let port = key.service_port;
    match (key.direction, key.peer) {
        (Direction::Outbound, Peer::Address(address)) => {
            format!("-> {}", std::net::SocketAddr::new(address, port))
        }
        (Direction::Outbound, Peer::Other) => "-> other".to_owned(),
        (Direction::Inbound, Peer::Other) => "<- other".to_owned(),
        (Direction::Inbound, peer) => format!(":{port} <- {peer}"),
    }
}
