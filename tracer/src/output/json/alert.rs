//! Connections that pile up, as a record.

use super::{
    age_quantiles, code::code, described, descriptors, direction, held_group, list::phase_name, ports,
    process, seconds, status,
};
use crate::{
    leak::{
        evidence::{self, Evidence, Leak},
        finding::Finding,
    },
    model::{
        connection::{self, ProcessId},
        name::Comm,
    },
    output::{
        advice::Advice,
        circumstances::Circumstances,
        leak::{silence, survivors},
        record::{
            Alert, Basis, Cadence, Class, Explanation, Forecast, Healthy, Holding, Interval, News, Opener,
            Phases, Resource, RuledOut, Sample, Scope, Severity, Silence, Survivors, Tier,
        },
    },
};

pub(super) fn alert(
    finding: &Finding,
    leak: &Leak,
    circumstances: &Circumstances<'_>,
    advice: Advice,
) -> Alert {
    let evidence = &leak.evidence;
    let (status, resolution) = status(finding.stage);
    Alert {
        id: finding.id.to_string(),
        status,
        news: leak.news.iter().copied().map(news).collect(),
        tier: match leak.tier {
            evidence::Tier::Suspected => Tier::Suspected,
            evidence::Tier::Confirmed => Tier::Confirmed,
        },
        severity: match leak.severity {
            evidence::Severity::Warning => Severity::Warning,
            evidence::Severity::Critical => Severity::Critical,
        },
        class: class(leak.class),
        scope: scope(&leak.scope),
        process: described(finding.process, finding.comm, circumstances.info),
        code: circumstances.code.as_ref().map(code),
        openers: openers(&circumstances.openers),
        other_ends: openers(&circumstances.other_ends),
        descriptors: circumstances.standing.map(descriptors),
        ports: circumstances.ports.map(ports),
        netns: finding.netns,
        open: leak.open,
        peak: leak.peak,
        phases: phases(leak.phases),
        lives: leak.lives,
        since: circumstances.wall.rfc3339(leak.began),
        basis: basis(leak.basis),
        times: match leak.basis {
            evidence::Basis::Sawtooth { times } => Some(times),
            _ => None,
        },
        span_seconds: seconds(evidence.until.since(evidence.counted_since)),
        opened: evidence.opened,
        closed: evidence.closed,
        closed_ever: evidence.closed_ever,
        known_seconds: seconds(evidence.known_for),
        survivors: of_periods(evidence),
        growth_per_hour: evidence.per_hour.and_then(interval),
        cadence: evidence.cadence.map(|cadence| Cadence {
            burst: cadence.burst,
            every_seconds: seconds(cadence.every),
            bursts: cadence.bursts,
        }),
        silence: silence(evidence).map(|silence| Silence {
            silent: silence.silent,
            of: silence.of,
            span_seconds: seconds(silence.span),
        }),
        open_age: evidence.ages.as_ref().map(age_quantiles),
        forecast: leak.forecast.map(forecast),
        samples: leak.samples.iter().take(Leak::SAMPLES).map(sample).collect(),
        explanations: evidence.explanations.iter().map(explanation).collect(),
        resolution,
        confidence: circumstances.confidence.clone(),
        advice: advice.one_line(),
        meaning: advice.meaning,
    }
}

fn openers(processes: &[(ProcessId, Comm, u32)]) -> Vec<Opener> {
    processes
        .iter()
        .map(|(id, comm, count)| Opener {
            process: process(*id, *comm),
            connections: *count,
        })
        .collect()
}

fn phases(phases: connection::Phases) -> Phases {
    Phases {
        open: phases.open,
        half_closed_remote: phases.half_closed_remote,
        half_closed_local: phases.half_closed_local,
        dead_held: phases.dead_held,
    }
}

const fn news(news: evidence::News) -> News {
    match news {
        evidence::News::Confirmed => News::Confirmed,
        evidence::News::Critical => News::Critical,
        evidence::News::Doubled => News::Doubled,
        evidence::News::Restarted => News::Restarted,
    }
}

const fn class(class: evidence::Class) -> Class {
    match class {
        evidence::Class::CloseMissing => Class::CloseMissing,
        evidence::Class::Abandoned => Class::Abandoned,
        evidence::Class::AbandonedByPeer => Class::AbandonedByPeer,
        evidence::Class::ErrorsIgnored => Class::ErrorsIgnored,
        evidence::Class::NotAccepted => Class::NotAccepted,
        evidence::Class::BlackHole => Class::BlackHole,
        evidence::Class::Kept => Class::Kept,
    }
}

const fn basis(basis: evidence::Basis) -> Basis {
    match basis {
        evidence::Basis::Survivors { .. } => Basis::Survivors,
        evidence::Basis::PeerGone { .. } => Basis::PeerGone,
        evidence::Basis::Sawtooth { .. } => Basis::Sawtooth,
        evidence::Basis::Renewed => Basis::Renewed,
        evidence::Basis::Dormant => Basis::Dormant,
        evidence::Basis::Surge => Basis::Surge,
        evidence::Basis::Accumulated => Basis::Accumulated,
        evidence::Basis::Restarts => Basis::Restarts,
        evidence::Basis::Unanswered => Basis::Unanswered,
        evidence::Basis::Row => Basis::Row,
    }
}

fn scope(scope: &evidence::Scope) -> Scope {
    match scope {
        evidence::Scope::Group(group) => Scope::Group {
            direction: direction(group.direction),
            peer: group.peer.to_string(),
            service_port: group.service_port,
        },
        evidence::Scope::Process {
            direction: started,
            peers,
            most,
        } => Scope::Process {
            direction: direction(*started),
            peers: *peers,
            most: most.iter().take(Leak::MEMBERS).map(held_group).collect(),
        },
        evidence::Scope::Peer {
            direction: started,
            peer,
            processes,
            ports,
            most,
        } => Scope::Peer {
            direction: direction(*started),
            peer: peer.to_string(),
            processes: *processes,
            service_ports: *ports,
            most: most
                .iter()
                .take(Leak::MEMBERS)
                .map(|(id, comm, open)| Holding {
                    process: process(*id, *comm),
                    open: *open,
                })
                .collect(),
        },
    }
}

fn of_periods(evidence: &Evidence) -> Option<Survivors> {
    let open = survivors(evidence);
    (!open.is_empty()).then(|| Survivors {
        period_seconds: seconds(evidence.period),
        open: open.to_vec(),
        matured: evidence.matured,
        left: evidence.left,
    })
}

/// JSON has no word for what is no number.
fn interval(interval: evidence::Interval) -> Option<Interval> {
    let evidence::Interval { low, mid, high } = interval;
    let are_numbers = low.is_finite() && mid.is_finite() && high.is_finite();
    are_numbers.then_some(Interval { low, mid, high })
}

fn forecast(forecast: evidence::Forecast) -> Forecast {
    Forecast {
        resource: match forecast.resource {
            evidence::Resource::Descriptors => Resource::Descriptors,
            evidence::Resource::Ports => Resource::Ports,
        },
        used: forecast.used,
        limit: forecast.limit,
        expected_seconds: seconds(forecast.expected),
        earliest_seconds: seconds(forecast.earliest),
        latest_seconds: forecast.latest.map(seconds),
        uneven: forecast.uneven,
    }
}

fn sample(sample: &evidence::Sample) -> Sample {
    Sample {
        pid: (sample.process != ProcessId::OTHER).then_some(sample.process.pid),
        local: sample.local.to_string(),
        peer: sample.peer.to_string(),
        age_seconds: seconds(sample.age.span),
        at_least: sample.age.at_least,
        phase: phase_name(sample.phase),
        silent_seconds: sample.silent_for.map(seconds),
    }
}

fn explanation(explanation: &evidence::Explanation) -> Explanation {
    Explanation {
        healthy: match explanation.healthy {
            evidence::Healthy::WarmUp => Healthy::WarmUp,
            evidence::Healthy::Pool => Healthy::Pool,
            evidence::Healthy::Diurnal => Healthy::Diurnal,
        },
        ruled_out: explanation.ruled_out.map(ruled_out),
    }
}

fn ruled_out(why: evidence::RuledOut) -> RuledOut {
    match why {
        evidence::RuledOut::StillGrowing(after) => RuledOut::StillGrowing {
            after_seconds: seconds(after),
        },
        evidence::RuledOut::Unused => RuledOut::Unused,
        evidence::RuledOut::Useless => RuledOut::Useless,
        evidence::RuledOut::Beat => RuledOut::Beat,
        evidence::RuledOut::LongerThanADay => RuledOut::LongerThanADay,
        evidence::RuledOut::ShareOfLimit(percent) => RuledOut::ShareOfLimit { percent },
        evidence::RuledOut::Again => RuledOut::Again,
        evidence::RuledOut::TooFast => RuledOut::TooFast,
    }
}
