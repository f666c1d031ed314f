//! The stream for people. Every string from outside goes through [`sanitize`].

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{
    advice,
    json::Wall,
    record::{Books, Cause, Confidence},
    sanitize, span,
};
use crate::{
    leak::finding::{Finding, Resolution, Stage},
    model::{
        connection::{Direction, GroupKey, Peer, ProcessId},
        name::Comm,
        tally::Tally,
        time::Time,
    },
};

const ALARM: Style = AnsiColor::Red.on_default().bold();
const CALM: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// A finding, in six lines at most; colours are removed where they are not wanted, by whoever writes it.
pub fn finding(finding: &Finding, confidence: &Confidence, wall: Wall, now: Time) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _: std::fmt::Result = write_finding(&mut text, finding, confidence, wall, now);
    text
}

fn write_finding(
    text: &mut String,
    finding: &Finding,
    confidence: &Confidence,
    wall: Wall,
    now: Time,
) -> std::fmt::Result {
    let Finding {
        id,
        stage,
        group,
        comm,
        open,
        peak,
        phases: _,
        evidence,
    } = finding;
    let (style, headline) = match stage {
        Stage::Opened => (ALARM, "LEAK SUSPECTED"),
        Stage::Updated => (ALARM, "LEAK GOES ON"),
        Stage::Resolved(_) => (CALM, "RESOLVED"),
    };
    let clock = wall.clock(now);
    writeln!(
        text,
        "{DIM}{clock}{DIM:#} {style}{headline}{style:#} {id}: {}",
        subject(group, *comm)
    )?;
    if let Stage::Resolved(Resolution::Drained) = stage {
        return writeln!(
            text,
            "  drained: {open} open now, {peak} at the peak; it began {}",
            moment(wall, now, evidence.since)
        );
    }
    let rate = evidence
        .per_hour()
        .map_or(String::new(), |rate| format!(", growing by {}", span::rate(rate)));
    let closed = match evidence.closed {
        0 => "none".to_owned(),
        closed => closed.to_string(),
    };
    writeln!(
        text,
        "  {open} open now; {} opened within {}, {closed} closed{rate}; it began {}",
        evidence.opened,
        span::human(evidence.span()),
        moment(wall, now, evidence.since),
    )?;
    writeln!(text, "  means:  {}", advice::meaning(finding))?;
    writeln!(text, "  next:   {}", advice::next_step(finding))?;
    if let Some(command) = advice::command(finding) {
        writeln!(text, "  list:   {command}")?;
    }
    writeln!(text, "  sure?   {}", certainty(finding, confidence))
}

/// `13:57:09Z, 6m ago`: the time of day alone would leave open which day.
fn moment(wall: Wall, now: Time, at: Time) -> String {
    format!("{}, {} ago", wall.clock(at), span::human(now.since(at)))
}

/// `controller[4711] -> 10.0.0.7:9090` or `grpc-server[4712]:9090 <- 10.0.0.9`.
fn subject(group: &GroupKey, comm: Comm) -> String {
    let process = process(group.process, comm);
    let port = group.service_port;
    match (group.direction, group.peer) {
        (Direction::Outbound, Peer::Address(address)) => {
            format!("{process} -> {}", std::net::SocketAddr::new(address, port))
        }
        (Direction::Outbound, Peer::Other) => format!("{process} -> other peers, any port"),
        (Direction::Inbound, Peer::Address(address)) => format!("{process}:{port} <- {address}"),
        (Direction::Inbound, Peer::Other) => format!("{process} <- other peers, any port"),
    }
}

/// `name[pid]`.
pub fn process(id: ProcessId, comm: Comm) -> String {
    match id {
        ProcessId::KERNEL => "kernel".to_owned(),
        ProcessId::OTHER => "other processes".to_owned(),
        ProcessId { pid, .. } => format!("{}[{pid}]", sanitize::comm(&comm)),
    }
}

fn certainty(finding: &Finding, confidence: &Confidence) -> String {
    let history = match finding.evidence.closed_before {
        0 => "none of this group was seen closing before".to_owned(),
        1 => "1 of this group closed before".to_owned(),
        closed => format!("{closed} of this group closed before"),
    };
    let lost = match (confidence.lost, confidence.lost_unhealed) {
        (0, _) => "no event was lost".to_owned(),
        (1, 0) => "1 event was lost, and made good from the descriptor tables".to_owned(),
        (lost, 0) => format!("{lost} events were lost, and made good from the descriptor tables"),
        (_, 1) => "1 event was lost just now, and a lost close looks like a leak".to_owned(),
        (_, lost) => format!("{lost} events were lost just now, and a lost close looks like a leak"),
    };
    let degraded = if confidence.degraded.is_empty() {
        ""
    } else {
        "; tracing is degraded, `tracer doctor` says how"
    };
    format!("suspected only, a connection pool that is filling looks the same; {history}; {lost}{degraded}")
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
        .map(|(cause, count)| format!("{count} {}", words(*cause)))
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

const fn words(cause: Cause) -> &'static str {
    match cause {
        Cause::RingFull => "ring buffer full (raise --ring-size)",
        Cause::MapFull => "socket table full (raise --max-connections)",
        Cause::Unreadable => "kernel field unreadable",
        Cause::ProgramMisses => "program run skipped by the kernel",
        Cause::ProbeMisses => "kprobe hit skipped by the kernel",
        Cause::Rejected => "record not understood",
        Cause::Simulated => "dropped on purpose (--simulate-loss)",
        Cause::Untracked => "ledger full (raise --max-connections)",
    }
}
