//! A server that does not accept.

use super::{
    advise, certainty,
    lines::{labelled, paragraph},
    moment, tell_process,
};
use crate::{
    leak::finding::{Finding, Queue, Resolution, Stalled},
    model::time::Time,
    output::{circumstances::Circumstances, json::Wall, record::Confidence, span, table},
};

pub(super) fn tell(
    text: &mut String,
    finding: &Finding,
    stalled: &Stalled,
    circumstances: &Circumstances<'_>,
) {
    let Circumstances {
        ref confidence,
        wall,
        now,
        ..
    } = *circumstances;
    paragraph(text, &waiting(stalled, wall, now));
    tell_process(text, circumstances);
    if let Some(limit) = descriptors(stalled) {
        labelled(text, "limit:", &limit);
    }
    if !stalled.held.is_empty() {
        labelled(text, "holds:", &table::peer_counts(&stalled.held));
    }
    if stalled.queue.examined > 0 {
        labelled(text, "queue:", &senders(&stalled.queue));
    }
    advise(text, finding, circumstances);
    labelled(text, "sure?", &sure(stalled, confidence));
}

/// `grpc-server[4712] at 0.0.0.0:9090`.
pub(super) fn subject(process: &str, stalled: &Stalled) -> String {
    let Stalled { local, holders, .. } = stalled;
    match holders {
        0 | 1 => format!("{process} at {local}"),
        2 => format!("{process} and 1 other process at {local}"),
        holders => format!("{process} and {} other processes at {local}", holders - 1),
    }
}

pub(super) fn ending(stalled: &Stalled, how: Resolution, wall: Wall, now: Time) -> String {
    let Stalled {
        queue, peak, since, ..
    } = stalled;
    format!(
        "{}: {} now, {peak} at the peak; it began {}",
        super::how(how),
        wait(queue.length),
        moment(wall, now, *since)
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
    let room = match (limit, queue.is_full()) {
        (Some(limit), true) => format!(" (queue full, limit {limit})"),
        (Some(limit), false) => format!(" (queue limit {limit})"),
        (None, _) => String::new(),
    };
    format!(
        "{} to be accepted{room}, the first for {}; nothing was accepted for at least \
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

/// No event has a part in it, so none that is lost can mislead.
fn sure(stalled: &Stalled, confidence: &Confidence) -> String {
    format!(
        "the same connection was the first in the queue in snapshots {} apart{}",
        span::human(stalled.stuck_for),
        certainty::degraded(confidence)
    )
}
