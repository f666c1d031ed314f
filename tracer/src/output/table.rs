//! The compact table.

use std::{fmt::Write as _, time::Duration};

use comfy_table::{CellAlignment, Table, presets};

use super::{errno, span, text, wrap};
use crate::model::{
    budget::{PortUse, Standing},
    connection::{Direction, Peer, PeerKey, Phases},
    tally::Tally,
    view::{Age, Counts, ProcessKey, Row},
};

/// Column titles behind the first: counts, ages of what is open, the median lifetime of what closed, where it is going.
const COUNTS: [&str; 9] = [
    "open", "+/min", "-/min", "opened", "closed", "oldest", "median", "lived", "state",
];

/// Both views under one line of totals. `ports` is the number of ephemeral ports.
pub fn render(
    clock: &str,
    processes: &(Vec<Row<ProcessKey>>, usize),
    peers: &(Vec<Row<PeerKey>>, usize),
    total: &Tally,
    ports: Option<u32>,
    notes: &str,
) -> String {
    let before = match total.older {
        0 => String::new(),
        older => format!(", {older} found open"),
    };
    let waiting = match total.unaccepted {
        0 => String::new(),
        unaccepted => format!(", {unaccepted} unaccepted"),
    };
    let mut rendered = format!(
        "{clock} {} open{before}, {} opened, {} closed, {} failed, {} connecting{waiting}; {notes}\n",
        total.open, total.opened, total.closed, total.failed, total.connecting
    );
    if total.opened == 0 && total.older == 0 && total.failed == 0 && total.is_idle() {
        return rendered;
    }
    part(
        &mut rendered,
        "process",
        processes,
        |key| text::process(key.id, key.comm),
        |row| row.key.standing.and_then(descriptors),
    );
    part(&mut rendered, "peer", peers, peer_name, |row| {
        local_ports(row, ports)
    });
    rendered
}

fn part<K>(
    rendered: &mut String,
    title: &str,
    (rows, all): &(Vec<Row<K>>, usize),
    name: impl Fn(&K) -> String,
    limit: impl Fn(&Row<K>) -> Option<String>,
) {
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(std::iter::once(title).chain(COUNTS));
    for Row { key, counts } in rows {
        let ages = counts.ages.map_or([const { String::new() }; 2], |ages| {
            [ages.oldest, ages.median].map(age)
        });
        let lived = counts
            .lifetimes
            .map_or_else(String::new, |(median, _)| span::human(median));
        let numbers = [
            counts.tally.open.to_string(),
            counts.opened_per_minute.to_string(),
            counts.closed_per_minute.to_string(),
            counts.tally.opened.to_string(),
            counts.tally.closed.to_string(),
        ];
        let cells = std::iter::once(name(key)).chain(numbers).chain(ages);
        table.add_row(cells.chain([lived, counts.state.name().to_owned()]));
    }
    for column in table.column_iter_mut().skip(1).take(COUNTS.len() - 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let remarks = std::iter::once(None).chain(rows.iter().map(|row| remarks(&row.counts, limit(row))));
    for (line, remarks) in table.lines().zip(remarks) {
        rendered.push_str(line.trim_end());
        rendered.push('\n');
        if let Some(remarks) = remarks {
            rendered.push_str("     ");
            wrap::fill(rendered, 5, 5, &remarks);
        }
    }
    let hidden = all.saturating_sub(rows.len());
    if hidden > 0 {
        // Writing to a String cannot fail.
        let _: std::fmt::Result = writeln!(rendered, " ... and {hidden} more; raise --rows to see them");
    }
}

/// What is out of the ordinary.
fn remarks(counts: &Counts, limit: Option<String>) -> Option<String> {
    let Phases {
        open: _,
        half_closed_remote,
        half_closed_local,
        dead_held,
    } = counts.phases;
    let phases = [
        (half_closed_remote, "half_closed_remote"),
        (half_closed_local, "half_closed_local"),
        (dead_held, "dead_held"),
        (counts.tally.unaccepted, "unaccepted"),
        (counts.tally.connecting, "connecting"),
    ];
    let phases = phases
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, phase)| format!("{count} {phase}"));
    let failures: Vec<String> = counts
        .failures
        .iter()
        .map(|(errno, count)| format!("{count} {}", errno::words(*errno)))
        .collect();
    let failed = (!failures.is_empty()).then(|| format!("failed: {}", failures.join(", ")));
    let remarks: Vec<String> = limit.into_iter().chain(phases).chain(failed).collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

/// The descriptors of a process, where they are half used or running out.
fn descriptors(standing: Standing) -> Option<String> {
    let is_half_used = standing
        .limit
        .is_some_and(|limit| u64::from(standing.used) * 2 >= limit);
    (is_half_used || standing.lasts.is_some()).then(|| of_limit(standing))?
}

/// `812 of 1024 descriptors, all in 12m at this rate`; `None` without a limit.
pub(super) fn of_limit(standing: Standing) -> Option<String> {
    let Standing {
        used, limit, lasts, ..
    } = standing;
    let lasts = lasts.map_or_else(String::new, runs_out);
    limit.map(|limit| format!("{used} of {limit} descriptors{lasts}"))
}

fn runs_out(lasts: Duration) -> String {
    if lasts.is_zero() {
        ", none left".to_owned()
    } else {
        format!(", all in {} at this rate", span::human(lasts))
    }
}

/// The local ports that connections to a destination take, where a tenth of them is taken or they run out.
fn local_ports(row: &Row<PeerKey>, ports: Option<u32>) -> Option<String> {
    /// What lasts longer is no news.
    const SOON: Duration = Duration::from_hours(24);
    let ports = port_use(row, ports)?;
    let is_much = u64::from(ports.used) * 10 >= u64::from(ports.available);
    (is_much || ports.lasts.is_some_and(|lasts| lasts < SOON)).then(|| of_ports(ports))
}

/// Of outbound connections.
pub(super) fn port_use(row: &Row<PeerKey>, ports: Option<u32>) -> Option<PortUse> {
    let available = ports.filter(|_| row.key.direction == Direction::Outbound)?;
    let Counts {
        ref tally,
        opened_per_minute,
        closed_per_minute,
        ..
    } = row.counts;
    let used = tally.open + tally.connecting;
    Some(PortUse::new(
        used,
        available,
        opened_per_minute,
        closed_per_minute,
    ))
}

/// `800 of 28232 local ports, all in 4h 40m at this rate`.
pub(super) fn of_ports(ports: PortUse) -> String {
    let PortUse {
        used,
        available,
        lasts,
    } = ports;
    let lasts = lasts.map_or_else(String::new, runs_out);
    format!("{used} of {available} local ports{lasts}")
}

/// `14s`; `≥ 14s` for what opened before anybody watched.
pub(super) fn age(age: Age) -> String {
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

/// `:9090 <- 10.0.0.9 (56), -> 10.0.0.7:5432 (1)`.
pub(super) fn peer_counts(counts: &[(PeerKey, u32)]) -> String {
    let counts = counts
        .iter()
        .map(|(key, count)| format!("{} ({count})", peer_name(key)));
    counts.collect::<Vec<_>>().join(", ")
}
