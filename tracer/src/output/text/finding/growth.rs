//! A group of connections that only grows: the first rule.

use super::{
    advise, certainty,
    lines::{labelled, paragraph},
    moment, tell_process,
};
use crate::{
    leak::finding::{Finding, Growth, Resolution},
    model::time::Time,
    output::{circumstances::Circumstances, json::Wall, record::Confidence, span, table},
};

pub(super) fn tell(text: &mut String, finding: &Finding, growth: &Growth, circumstances: &Circumstances<'_>) {
    let Circumstances {
        ref confidence,
        wall,
        now,
        ..
    } = *circumstances;
    paragraph(text, &growing(growth, wall, now));
    tell_process(text, circumstances);
    let limits = limits(circumstances);
    if !limits.is_empty() {
        labelled(text, "limit:", &limits.join("; "));
    }
    advise(text, finding, circumstances);
    labelled(text, "sure?", &sure(growth, confidence));
}

pub(super) fn ending(growth: &Growth, how: Resolution, wall: Wall, now: Time) -> String {
    let Growth {
        open, peak, evidence, ..
    } = growth;
    format!(
        "{}: {open} open now, {peak} at the peak; it began {}",
        super::how(how),
        moment(wall, now, evidence.since)
    )
}

/// How far it is to the limits that the growth runs into.
fn limits(circumstances: &Circumstances<'_>) -> Vec<String> {
    let descriptors = circumstances.standing.and_then(table::of_limit);
    let ports = circumstances
        .ports
        .map(|ports| format!("{} to this destination", table::of_ports(ports)));
    descriptors.into_iter().chain(ports).collect()
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

fn sure(growth: &Growth, confidence: &Confidence) -> String {
    let history = match growth.evidence.closed_before {
        0 => "none of this group was seen closing before".to_owned(),
        1 => "1 of this group closed before".to_owned(),
        closed => format!("{closed} of this group closed before"),
    };
    let lost = certainty::losses(confidence);
    let older = certainty::older(confidence);
    let degraded = certainty::degraded(confidence);
    format!(
        "suspected only, a connection pool that is filling looks the same; {history}; {lost}{older}{degraded}"
    )
}
