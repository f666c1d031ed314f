//! The stream for people. Every string from outside goes through [`sanitize`].

mod finding;

use std::fmt::Write as _;

use super::{record::Books, sanitize, span};
use crate::model::{connection::ProcessId, name::Comm, tally::Tally};
pub use finding::finding;

/// `name[pid]`.
pub fn process(id: ProcessId, comm: Comm) -> String {
    match id {
        ProcessId::KERNEL => "kernel".to_owned(),
        ProcessId::OTHER => "other processes".to_owned(),
        ProcessId { pid, .. } => format!("{}[{pid}]", sanitize::comm(&comm)),
    }
}

/// The first lines: what is watched, with which hooks, and what they do not see.
pub fn started(watched: &str, backend: &str, untested: Option<&str>, degraded: &[String]) -> String {
    let tested = match untested {
        None => "self-test passed".to_owned(),
        Some(why) => format!("self-test could not run: {why}"),
    };
    let mut text = format!("watching {watched} with the {backend} backend, {tested}\n");
    for what in degraded {
        let _: std::fmt::Result = writeln!(text, "degraded: {what}");
    }
    text
}

/// The last lines: what was seen, and what was lost.
pub fn summary(reason: &str, seconds: u64, total: &Tally, alerts: (u64, u64), books: &Books) -> String {
    let span = span::human(std::time::Duration::from_secs(seconds));
    let (alerts, unresolved) = alerts;
    let Tally {
        open,
        opened,
        closed,
        failed,
        ..
    } = total;
    let (s, alerts_s) = (plural(*opened), plural(alerts));
    format!(
        "{reason} after {span}: {opened} connection{s} opened, {closed} closed, {open} still open; {failed} failed to \
         open; {alerts} alert{alerts_s}, {unresolved} not resolved\n{}\n",
        losses(books)
    )
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Losses by cause.
pub fn losses(books: &Books) -> String {
    let causes = [
        (books.ring_full, "ring buffer full (raise --ring-size)"),
        (books.map_full, "socket table full (raise --max-connections)"),
        (books.unreadable, "kernel field unreadable"),
        (books.program_misses, "program run skipped by the kernel"),
        (books.rejected, "record not understood"),
        (books.untracked, "ledger full (raise --max-connections)"),
    ];
    let named: Vec<String> = causes
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, cause)| format!("{count} {cause}"))
        .collect();
    if named.is_empty() {
        "nothing was lost".to_owned()
    } else {
        let lost = books.lost();
        format!("LOST {lost} event{}: {}", plural(lost), named.join(", "))
    }
}
