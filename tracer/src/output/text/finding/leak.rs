//! Connections that pile up.

mod evidence;

use std::{net::SocketAddr, time::Duration};

use super::{
    advise, between, certainty, code, how,
    lines::{column, labelled, list, paragraph},
    moment, tell_process,
};
use crate::{
    leak::{
        evidence::{Basis, Class, Forecast, Leak, News, Resource, Scope, Severity, Tier},
        finding::{Finding, Resolution},
    },
    model::{
        connection::{Direction, Peer},
        time::Time,
    },
    output::{
        advice::{Advice, explanation},
        circumstances::Circumstances,
        json::Wall,
        leak::{service_port, silence},
        record::Confidence,
        span, table,
    },
};

/// All of it.
pub(super) fn tell(text: &mut String, finding: &Finding, leak: &Leak, circumstances: &Circumstances<'_>) {
    let Circumstances {
        ref confidence,
        wall,
        now,
        ..
    } = *circumstances;
    paragraph(text, &story(leak, wall, now));
    if let Some(code) = &circumstances.code {
        code::tell(text, code, circumstances.full_stacks);
    }
    tell_limit(text, leak, circumstances);
    if let Some(kept) = evidence::kept(leak) {
        labelled(text, "kept:", &kept);
    }
    if let Some(cadence) = leak.evidence.cadence {
        labelled(text, "beat:", &evidence::beat(cadence));
    }
    if let Some(silence) = silence(&leak.evidence) {
        labelled(text, "idle:", &evidence::idle(silence));
    }
    if let Some(ages) = leak.evidence.ages {
        let (oldest, median) = (table::age(ages.oldest), table::age(ages.median));
        labelled(text, "ages:", &format!("oldest {oldest}, median {median}"));
    }
    if let Some(members) = evidence::members(&leak.scope) {
        labelled(text, "most:", &members);
    }
    column(text, "sample:", evidence::samples(leak));
    tell_process(text, circumstances);
    advise(text, finding, circumstances);
    tell_explanations(text, leak);
    labelled(text, "sure?", &sure(leak, confidence));
}

/// What is news.
pub(super) fn update(text: &mut String, finding: &Finding, leak: &Leak, circumstances: &Circumstances<'_>) {
    let Circumstances { wall, now, .. } = *circumstances;
    let parts = std::iter::once(now_open(leak)).chain(leak.news.iter().map(|news| novelty(*news, leak)));
    let parts: Vec<String> = parts.collect();
    let began = moment(wall, now, leak.began);
    paragraph(
        text,
        &format!("{}{}; it began {began}", parts.join(", "), growing(leak)),
    );
    tell_limit(text, leak, circumstances);
    let is_graver = leak
        .news
        .iter()
        .any(|news| matches!(news, News::Confirmed | News::Critical));
    if is_graver {
        if let Some(code) = &circumstances.code {
            code::tell(text, code, circumstances.full_stacks);
        }
        let advice = Advice::of(finding, circumstances.own_netns);
        labelled(text, "next:", &advice.next);
        if let Some(command) = &advice.command {
            list(text, command);
        }
        tell_explanations(text, leak);
    }
}

/// `drained: 2 open, 40 at the peak; it lasted 6m`.
pub(super) fn ending(leak: &Leak, resolution: Resolution, now: Time) -> String {
    let Leak {
        open, peak, began, ..
    } = leak;
    let lasted = span::human(now.since(*began));
    if resolution == Resolution::Plateaued {
        // They are no less open for not growing.
        return format!("stopped growing, {open} still open; {peak} at the peak, it lasted {lasted}");
    }
    format!(
        "{}: {open} open, {peak} at the peak; it lasted {lasted}",
        how(resolution)
    )
}

/// `CRITICAL LEAK CONFIRMED`.
pub(super) fn title(leak: &Leak, is_update: bool) -> String {
    let critical = match leak.severity {
        Severity::Warning => "",
        Severity::Critical => "CRITICAL ",
    };
    let what = match leak.class {
        Class::BlackHole => "BLACK HOLE",
        _ => "LEAK",
    };
    let tier = match leak.tier {
        Tier::Suspected => "SUSPECTED",
        Tier::Confirmed => "CONFIRMED",
    };
    if !is_update {
        format!("{critical}{what} {tier}")
    } else if leak.news.contains(&News::Confirmed) {
        format!("{critical}{what} NOW {tier}")
    } else {
        format!("{critical}{tier} {what} GOES ON")
    }
}

/// Who, to whom. `process` is the name of the finding's process.
pub(super) fn subject(process: &str, leak: &Leak) -> String {
    match &leak.scope {
        Scope::Group(group) => between(process, group),
        Scope::Process {
            direction: Direction::Outbound,
            peers,
            ..
        } => format!("{process} -> {peers} peers"),
        Scope::Process {
            direction: Direction::Inbound,
            peers,
            ..
        } => format!("{process} <- {peers} peers"),
        Scope::Peer {
            direction,
            peer,
            processes,
            ports,
            ..
        } => {
            let who = match processes {
                0 | 1 => process.to_owned(),
                processes => format!("{processes} processes"),
            };
            let peer_name = match peer {
                Peer::Address(address) => address.to_string(),
                Peer::Other => "other peers".to_owned(),
            };
            match (direction, service_port(leak), peer) {
                (Direction::Outbound, Some(port), Peer::Address(address)) => {
                    format!("{who} -> {}", SocketAddr::new(*address, port))
                }
                (Direction::Inbound, Some(port), _) => format!("{who}, port {port} <- {peer_name}"),
                (Direction::Outbound, ..) => format!("{who} -> {peer_name}, {ports} ports"),
                (Direction::Inbound, ..) => format!("{who}, {ports} ports <- {peer_name}"),
            }
        }
    }
}

fn now_open(leak: &Leak) -> String {
    let open = leak.open;
    match leak.class {
        Class::BlackHole => format!("{open} attempts wait for an answer now"),
        Class::NotAccepted => format!("{open} wait to be accepted now"),
        _ => format!("{open} open now"),
    }
}

/// How many, how fast, since when.
fn story(leak: &Leak, wall: Wall, now: Time) -> String {
    let evidence = &leak.evidence;
    let opened = evidence.opened;
    let window = span::human(evidence.until.since(evidence.counted_since));
    let flow = match (leak.basis, leak.class) {
        (Basis::Accumulated, _) => format!("{opened} were there when the tracer came"),
        (_, Class::BlackHole) => format!("{opened} began within {window}"),
        _ => format!(
            "{opened} opened within {window}, {} closed",
            none_or(evidence.closed)
        ),
    };
    let remark = match leak.basis {
        Basis::Sawtooth { times } => {
            format!(
                "; {times} times they were all closed at once, as garbage collectors and resets do, and piled up again"
            )
        }
        Basis::Renewed => "; they are replaced as they get old, but there are ever more of them".to_owned(),
        Basis::Dormant => "; others come and go, but there are ever more that nobody uses".to_owned(),
        Basis::Surge => "; evenly, and too fast to wait for what becomes of them".to_owned(),
        Basis::Row => "; in a row, which is all that --min-opened asks for".to_owned(),
        Basis::Restarts => "; process after process ended with more than it can have needed".to_owned(),
        Basis::Survivors { .. } | Basis::PeerGone { .. } | Basis::Accumulated | Basis::Unanswered => {
            String::new()
        }
    };
    let lives = match leak.lives {
        0 | 1 => String::new(),
        lives => format!("; in {lives} lives of the program, one after the other"),
    };
    let began = match leak.basis {
        Basis::Accumulated => "it began before that".to_owned(),
        _ => format!("it began {}", moment(wall, now, leak.began)),
    };
    format!(
        "{}; {flow}{}{remark}{lives}; {began}",
        now_open(leak),
        growing(leak)
    )
}

/// `, growing by 360 per hour (340 to 380)`; empty if nobody can tell.
fn growing(leak: &Leak) -> String {
    let interval = leak.evidence.per_hour.and_then(span::interval);
    interval.map_or_else(String::new, |rate| format!(", growing by {rate}"))
}

fn novelty(news: News, leak: &Leak) -> String {
    match news {
        News::Confirmed => "no healthy explanation is left".to_owned(),
        News::Critical => "a limit is near".to_owned(),
        News::Doubled => "twice as many as when last told".to_owned(),
        News::Restarted => format!("and it was restarted: life {} that leaks", leak.lives),
    }
}

/// `none` reads better than a zero.
pub(super) fn none_or(count: u64) -> String {
    match count {
        0 => "none".to_owned(),
        count => count.to_string(),
    }
}

fn tell_limit(text: &mut String, leak: &Leak, circumstances: &Circumstances<'_>) {
    let limits = limits(leak.forecast.as_ref(), circumstances);
    if !limits.is_empty() {
        labelled(text, "limit:", &limits.join("; "));
    }
}

/// The forecast first, then how far it is to the limit that it is not about.
fn limits(forecast: Option<&Forecast>, circumstances: &Circumstances<'_>) -> Vec<String> {
    let foretold = forecast.map(|forecast| forecast.resource);
    let descriptors = circumstances
        .standing
        .filter(|_| foretold != Some(Resource::Descriptors))
        .and_then(table::of_limit);
    let ports = circumstances
        .ports
        .filter(|_| foretold != Some(Resource::Ports))
        .map(|ports| format!("{} to this destination", table::of_ports(ports)));
    let forecast = forecast.map(reaching);
    forecast.into_iter().chain(descriptors).chain(ports).collect()
}

/// `reaches 1024 descriptors in about 2h 10m (1h 50m to 2h 40m), 260 in use`.
fn reaching(forecast: &Forecast) -> String {
    let Forecast {
        resource,
        used,
        limit,
        expected,
        earliest,
        latest,
        uneven,
    } = *forecast;
    let of_what = match resource {
        Resource::Descriptors => "descriptors",
        Resource::Ports => "local ports to this destination",
    };
    if expected == Duration::ZERO {
        return format!("{used} of {limit} {of_what}, none left");
    }
    let [expected, earliest] = [expected, earliest].map(span::human);
    let band = match latest.map(span::human) {
        // Nobody knows how sure it is.
        Some(latest) if latest == earliest => String::new(),
        Some(latest) => format!(" ({earliest} to {latest})"),
        None => format!(" ({earliest} at the earliest)"),
    };
    let uneven = if uneven {
        "; it grows unevenly, so that is an order of magnitude"
    } else {
        ""
    };
    format!("reaches {limit} {of_what} in about {expected}{band}, {used} in use{uneven}")
}

fn tell_explanations(text: &mut String, leak: &Leak) {
    if let Some(explained) = explanation::words(leak) {
        labelled(text, "else?", &explained);
    }
}

fn sure(leak: &Leak, confidence: &Confidence) -> String {
    let known = span::human(leak.evidence.known_for);
    let closed = none_or(leak.evidence.closed_ever);
    let history = match leak.class {
        // They were never open.
        Class::BlackHole => String::new(),
        _ => format!("{closed} closed in {known} of watching; "),
    };
    let lost = certainty::losses(confidence);
    let older = certainty::older(confidence);
    let degraded = certainty::degraded(confidence);
    format!("{history}{lost}{older}{degraded}")
}
