//! A finding for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::process;
use crate::{
    leak::finding::{Finding, Growth, Kind, Queue, Resolution, Stage, Stalled},
    model::{
        connection::{Direction, Peer},
        time::Time,
    },
    output::{
        advice::{Advice, Command},
        circumstances::Circumstances,
        json::Wall,
        record::Confidence,
        span, table, who, wrap,
    },
};

const ALARM: Style = AnsiColor::Red.on_default().bold();
const CALM: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Where the text of a labelled line begins.
const LABELLED: usize = 10;

/// A finding, in lines that fit a terminal; colours are removed where they are not wanted, by whoever writes it.
pub fn finding(finding: &Finding, circumstances: &Circumstances<'_>) -> String {
    let Circumstances {
        ref confidence,
        own_netns,
        wall,
        now,
        ..
    } = *circumstances;
    let mut text = headline(finding, wall, now);
    if let Stage::Resolved(resolution) = finding.stage {
        paragraph(&mut text, &ending(finding, resolution, wall, now));
        return text;
    }
    match &finding.kind {
        Kind::Growth(growth) => {
            paragraph(&mut text, &growing(growth, wall, now));
            tell_process(&mut text, circumstances);
            let limits = limits(circumstances);
            if !limits.is_empty() {
                labelled(&mut text, "limit:", &limits.join("; "));
            }
        }
        Kind::Leak(_) | Kind::Exhaustion(_) => unreachable!("not told yet"),
        Kind::Stalled(stalled) => {
            paragraph(&mut text, &waiting(stalled, wall, now));
            tell_process(&mut text, circumstances);
            if let Some(limit) = descriptors(stalled) {
                labelled(&mut text, "limit:", &limit);
            }
            if !stalled.held.is_empty() {
                let held = stalled
                    .held
                    .iter()
                    .map(|(key, count)| format!("{} ({count})", table::peer_name(key)));
                labelled(&mut text, "holds:", &held.collect::<Vec<_>>().join(", "));
            }
            if stalled.queue.examined > 0 {
                labelled(&mut text, "queue:", &senders(&stalled.queue));
            }
        }
    }
    let advice = Advice::of(finding, own_netns);
    labelled(&mut text, "means:", &advice.meaning);
    labelled(&mut text, "next:", &advice.next);
    if let Some(command) = &advice.command {
        list(&mut text, command);
    }
    let certainty = match &finding.kind {
        Kind::Growth(growth) => growth_certainty(growth, confidence),
        Kind::Stalled(stalled) => stall_certainty(stalled, confidence),
        Kind::Leak(_) | Kind::Exhaustion(_) => unreachable!("not told yet"),
    };
    labelled(&mut text, "sure?", &certainty);
    text
}

/// Who it is: the command line, and where the process belongs.
fn tell_process(text: &mut String, circumstances: &Circumstances<'_>) {
    if let Some(who) = circumstances.info.and_then(who::describe) {
        labelled(text, "who:", &who);
    }
    if !circumstances.openers.is_empty() {
        let openers = circumstances
            .openers
            .iter()
            .map(|(id, comm, count)| format!("{} ({count})", process(*id, *comm)));
        labelled(text, "opener:", &openers.collect::<Vec<_>>().join(", "));
    }
}

/// How far it is to the limits that the growth runs into.
fn limits(circumstances: &Circumstances<'_>) -> Vec<String> {
    let descriptors = circumstances.standing.and_then(table::of_limit);
    let ports = circumstances
        .ports
        .map(|ports| format!("{} to this destination", table::of_ports(ports)));
    descriptors.into_iter().chain(ports).collect()
}

/// `14:03:09Z LEAK SUSPECTED leak-1: controller[4711] -> 10.0.0.7:9090`.
fn headline(finding: &Finding, wall: Wall, now: Time) -> String {
    let (style, what) = match (finding.stage, &finding.kind) {
        (Stage::Opened, Kind::Growth(_)) => (ALARM, "LEAK SUSPECTED"),
        (Stage::Updated, Kind::Growth(_)) => (ALARM, "LEAK GOES ON"),
        (Stage::Opened, Kind::Stalled(_)) => (ALARM, "SERVER STALLED"),
        (Stage::Updated, Kind::Stalled(_)) => (ALARM, "SERVER STILL STALLED"),
        (Stage::Resolved(_), _) => (CALM, "RESOLVED"),
        (_, Kind::Leak(_) | Kind::Exhaustion(_)) => unreachable!("not told yet"),
    };
    let clock = wall.clock(now);
    let id = finding.id;
    // The styles take no columns.
    let column = wrap::width(&format!("{clock} {what} {id}: "));
    let mut text = format!("{DIM}{clock}{DIM:#} {style}{what}{style:#} {id}: ");
    wrap::fill(&mut text, column, 4, &subject(finding));
    text
}

/// `controller[4711] -> 10.0.0.7:9090`, `grpc-server[4712]:9090 <- 10.0.0.9` or `grpc-server[4712] at 0.0.0.0:9090`.
fn subject(finding: &Finding) -> String {
    let process = process(finding.process, finding.comm);
    match &finding.kind {
        Kind::Growth(Growth { group, .. }) => {
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
        Kind::Leak(_) | Kind::Exhaustion(_) => unreachable!("not told yet"),
        Kind::Stalled(Stalled { local, holders, .. }) => match holders {
            0 | 1 => format!("{process} at {local}"),
            2 => format!("{process} and 1 other process at {local}"),
            holders => format!("{process} and {} other processes at {local}", holders - 1),
        },
    }
}

fn ending(finding: &Finding, resolution: Resolution, wall: Wall, now: Time) -> String {
    let how = match resolution {
        Resolution::Drained => "drained",
        Resolution::AcceptingAgain => "accepting again",
        Resolution::ListenerGone => "nobody listens there any more",
        _ => unreachable!("not told yet"),
    };
    let (left, since) = match &finding.kind {
        Kind::Growth(Growth {
            open, peak, evidence, ..
        }) => (format!("{open} open now, {peak} at the peak"), evidence.since),
        Kind::Leak(_) | Kind::Exhaustion(_) => unreachable!("not told yet"),
        Kind::Stalled(Stalled {
            queue, peak, since, ..
        }) => (format!("{} now, {peak} at the peak", wait(queue.length)), *since),
    };
    format!("{how}: {left}; it began {}", moment(wall, now, since))
}

fn growing(growth: &Growth, wall: Wall, now: Time) -> String {
    let Growth { open, evidence, .. } = growth;
    let rate = evidence
        .per_hour()
        .map_or(String::new(), |rate| format!(", growing by {}", span::rate(rate)));
    let closed = match evidence.closed {
        0 => "none".to_owned(),
        closed => closed.to_string(),
    };
    format!(
        "{open} open now; {} opened within {}, {closed} closed{rate}; it began {}",
        evidence.opened,
        span::human(evidence.span()),
        moment(wall, now, evidence.since),
    )
}

fn waiting(stalled: &Stalled, wall: Wall, now: Time) -> String {
    let Stalled {
        queue,
        stuck_for,
        since,
        ..
    } = stalled;
    let Queue { length, limit, .. } = queue;
    let room = if queue.is_full() { "full, " } else { "" };
    format!(
        "{} to be accepted (queue {room}limit {limit}), the first for {}; nothing was accepted for at least \
         {}; it began {}",
        wait(*length),
        span::human(queue.waited),
        span::human(*stuck_for),
        moment(wall, now, *since),
    )
}

fn wait(connections: u32) -> String {
    let s = if connections == 1 { "s" } else { "" };
    format!("{connections} wait{s}")
}

/// `64 of 64 descriptors in use, 58 of them TCP sockets`.
fn descriptors(stalled: &Stalled) -> Option<String> {
    let table = stalled.descriptors?;
    let limit = table.limit.map_or(String::new(), |limit| format!(" of {limit}"));
    Some(format!(
        "{}{limit} descriptors in use, {} of them TCP sockets",
        table.used, table.sockets
    ))
}

/// `10.0.0.9 (9), 10.0.0.8 (2), others (1); 3 of these 12 have given up`.
fn senders(queue: &Queue) -> String {
    let Queue {
        length,
        examined,
        given_up,
        elsewhere,
        ..
    } = *queue;
    let mut senders: Vec<String> = queue
        .peers
        .iter()
        .map(|(peer, count)| format!("{peer} ({count})"))
        .collect();
    if elsewhere > 0 {
        senders.push(format!("others ({elsewhere})"));
    }
    let first = if examined < length {
        format!("the first {examined} are from ")
    } else {
        "from ".to_owned()
    };
    let lost_patience = match given_up {
        0 => String::new(),
        given_up => format!("; {given_up} of these {examined} have given up"),
    };
    format!("{first}{}{lost_patience}", senders.join(", "))
}

fn growth_certainty(growth: &Growth, confidence: &Confidence) -> String {
    let history = match growth.evidence.closed_before {
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
    let older = match confidence.older {
        0 => String::new(),
        older => format!("; {older} in all were open before the tracer came, or were found later"),
    };
    let degraded = degraded(confidence);
    format!(
        "suspected only, a connection pool that is filling looks the same; {history}; {lost}{older}{degraded}"
    )
}

/// No event has a part in it, so none that is lost can mislead.
fn stall_certainty(stalled: &Stalled, confidence: &Confidence) -> String {
    format!(
        "the same connection was the first in the queue in snapshots {} apart{}",
        span::human(stalled.stuck_for),
        degraded(confidence)
    )
}

fn degraded(confidence: &Confidence) -> &'static str {
    if confidence.degraded.is_empty() {
        ""
    } else {
        "; tracing is degraded, `tracer doctor` says how"
    }
}

/// `13:57:09Z, 6m ago`: the time of day alone would leave open which day.
fn moment(wall: Wall, now: Time, at: Time) -> String {
    format!("{}, {} ago", wall.clock(at), span::human(now.since(at)))
}

fn paragraph(text: &mut String, words: &str) {
    text.push_str("  ");
    wrap::fill(text, 2, 2, words);
}

fn labelled(text: &mut String, label: &str, words: &str) {
    // Writing to a String cannot fail.
    let _: std::fmt::Result = write!(text, "  {label:<8}");
    wrap::fill(text, LABELLED, LABELLED, words);
}

/// A command is to be copied: broken only where the shell lets it be.
fn list(text: &mut String, command: &Command) {
    let whole = command.to_string();
    // Writing to a String cannot fail.
    let _: std::fmt::Result = if LABELLED + wrap::width(&whole) <= wrap::WIDTH {
        writeln!(text, "  list:   {whole}")
    } else if let Some(entering) = command.entering() {
        writeln!(text, "  list:\n    {entering} \\\n    {}", command.run)
    } else {
        writeln!(text, "  list:\n    {whole}")
    };
}
