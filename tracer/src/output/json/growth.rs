//! A finding of the first rule as a record: what it does not know is absent.

use super::{
    alert::{openers, phases},
    described, descriptors, direction, ports, seconds, status,
};
use crate::{
    leak::finding::{Finding, Growth},
    output::{
        advice::Advice,
        circumstances::Circumstances,
        record::{Alert, Basis, Class, Interval, Scope, Severity, Tier},
    },
};

pub(super) fn alert(
    finding: &Finding,
    growth: &Growth,
    circumstances: &Circumstances<'_>,
    advice: Advice,
) -> Alert {
    let Growth {
        group,
        open,
        peak,
        phases: of,
        evidence,
    } = growth;
    let (status, resolution) = status(finding.stage);
    Alert {
        id: finding.id.to_string(),
        status,
        news: Vec::new(),
        tier: Tier::Suspected,
        severity: Severity::Warning,
        class: Class::Kept,
        scope: Scope::Group {
            direction: direction(group.direction),
            peer: group.peer.to_string(),
            service_port: group.service_port,
        },
        process: described(finding.process, finding.comm, circumstances.info),
        openers: openers(circumstances),
        descriptors: circumstances.standing.map(descriptors),
        ports: circumstances.ports.map(ports),
        netns: finding.netns,
        open: *open,
        peak: *peak,
        phases: phases(*of),
        lives: 1,
        since: circumstances.wall.rfc3339(evidence.since),
        basis: Basis::Surge,
        times: None,
        span_seconds: seconds(evidence.span()),
        opened: evidence.opened,
        closed: evidence.closed,
        closed_ever: evidence.closed_before.saturating_add(evidence.closed),
        known_seconds: seconds(circumstances.now.since(evidence.since)),
        survivors: None,
        growth_per_hour: evidence.per_hour().map(|rate| Interval {
            low: rate,
            mid: rate,
            high: rate,
        }),
        cadence: None,
        silence: None,
        open_age: None,
        forecast: None,
        samples: Vec::new(),
        explanations: Vec::new(),
        resolution,
        confidence: circumstances.confidence.clone(),
        advice: advice.one_line(),
        meaning: advice.meaning,
    }
}
