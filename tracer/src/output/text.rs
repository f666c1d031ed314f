//! The stream for people. Every string from outside goes through [`sanitize`].

mod finding;

use std::fmt::Write as _;

use super::{
    record::{Books, Cause},
    sanitize, span,
};
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

/// Losses by cause, and what did not fit.
pub fn losses(books: &Books) -> String {
    let named: Vec<String> = books
        .losses()
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(cause, count)| format!("{count} {}", words(*cause, *count)))
        .collect();
    let mut text = if named.is_empty() {
        "nothing was lost".to_owned()
    } else {
        let lost = books.lost();
        format!("LOST {lost} event{}: {}", plural(lost), named.join(", "))
    };
    if books.unlisted > 0 {
        let unlisted = books.unlisted;
        let s = plural(unlisted);
        let _: std::fmt::Result = write!(
            text,
            "; {unlisted} held connection{s} not tracked, the socket table is full (raise --max-connections)"
        );
    }
    if books.overflowed > 0 {
        let overflowed = books.overflowed;
        let _: std::fmt::Result = write!(
            text,
            "; {overflowed} counted under `other`, the tables are full (raise --max-groups)"
        );
    }
    text
}

const fn words(cause: Cause, count: u64) -> &'static str {
    match cause {
        Cause::Unreadable if count > 1 => "kernel fields unreadable",
        Cause::ProgramMisses if count > 1 => "program runs skipped by the kernel",
        Cause::ProbeMisses if count > 1 => "kprobe hits skipped by the kernel",
        Cause::Rejected if count > 1 => "records not understood",
        Cause::RingFull => "ring buffer full (raise --ring-size)",
        Cause::MapFull => "socket table full (raise --max-connections)",
        Cause::Unreadable => "kernel field unreadable",
        Cause::ProgramMisses => "program run skipped by the kernel",
        Cause::ProbeMisses => "kprobe hit skipped by the kernel",
        Cause::Rejected => "record not understood",
        Cause::Simulated => "dropped on purpose (--simulate-loss)",
        Cause::Untracked => "ledger full (raise --max-connections)",
        Cause::Elsewhere => "as the recording tells",
    }
}
