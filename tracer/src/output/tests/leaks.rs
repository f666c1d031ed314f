//! Leaks to tell of.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{NETNS, NOW, any_comm, any_group, comm, peer, phases};
use crate::{
    leak::{
        evidence::{
            Basis, Cadence, Class, Evidence, Exhaustion, Explanation, Forecast, Healthy, Interval, Leak,
            News, Resource, RuledOut, Sample, Scope, Severity, Silence, Tier,
        },
        finding::{Finding, FindingId, Kind, Rule, Stage},
    },
    model::{
        connection::{ConnectionId, Direction, Peer, PeerKey, Phase, Phases, ProcessId},
        time::Time,
        view::{Age, Ages},
    },
};

pub fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

pub fn key(direction: Direction, address: &str, service_port: u16) -> PeerKey {
    PeerKey {
        direction,
        peer: peer(address),
        service_port,
    }
}

pub fn process(pid: u32) -> ProcessId {
    let start = Time(5_000_000_000);
    ProcessId { pid, start }
}

fn sample(local: &str, peer: &str, age: Duration) -> Sample {
    Sample {
        id: ConnectionId(7),
        process: process(4711),
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        age: Age::exactly(age),
        phase: Phase::Open,
        silent_for: Some(age),
    }
}

pub const fn ruled_out(healthy: Healthy, why: RuledOut) -> Explanation {
    Explanation {
        healthy,
        ruled_out: Some(why),
    }
}

pub const fn possible(healthy: Healthy) -> Explanation {
    Explanation {
        healthy,
        ruled_out: None,
    }
}

/// The founding incident after an hour: three connections every thirty seconds.
pub fn leak(change: impl FnOnce(&mut Leak)) -> Leak {
    let began = NOW.earlier(minutes(56));
    let mut leak = Leak {
        scope: Scope::Group(key(Direction::Outbound, "10.0.0.7", 9090)),
        tier: Tier::Confirmed,
        severity: Severity::Warning,
        class: Class::Abandoned,
        basis: Basis::Survivors { period: minutes(7) },
        open: 339,
        peak: 339,
        phases: Phases {
            open: 339,
            ..Phases::default()
        },
        evidence: Evidence {
            since: began,
            counted_since: began,
            until: NOW,
            opened: 336,
            closed: 0,
            survivors: vec![42, 42, 40, 43, 42, 42],
            period: minutes(7),
            matured: 251,
            left: 0,
            ages: Some(Ages {
                oldest: Age::exactly(minutes(57)),
                median: Age::exactly(minutes(28)),
                p90: Age::exactly(minutes(51)),
            }),
            silence: Some(Silence {
                silent: 248,
                of: 251,
                span: minutes(14),
            }),
            per_hour: Some(Interval {
                low: 316.4,
                mid: 360.0,
                high: 406.2,
            }),
            cadence: Some(Cadence {
                burst: 3,
                every: Duration::from_secs(30),
                bursts: 112,
            }),
            closed_ever: 0,
            known_for: minutes(57),
            explanations: vec![
                ruled_out(Healthy::WarmUp, RuledOut::StillGrowing(minutes(56))),
                ruled_out(Healthy::Pool, RuledOut::Unused),
                ruled_out(Healthy::Diurnal, RuledOut::TooFast),
            ],
        },
        forecast: Some(Forecast {
            resource: Resource::Descriptors,
            used: 350,
            limit: 1024,
            expected: Duration::from_secs(6740),
            earliest: Duration::from_secs(5973),
            latest: Some(Duration::from_secs(7668)),
            uneven: false,
        }),
        samples: vec![
            sample("10.0.0.1:40112", "10.0.0.7:9090", minutes(57)),
            sample("10.0.0.1:40114", "10.0.0.7:9090", minutes(56)),
        ],
        lives: 1,
        began,
        news: Vec::new(),
    };
    change(&mut leak);
    leak
}

/// The same for a leak that comes in, at the server.
pub fn inbound(change: impl FnOnce(&mut Leak)) -> Leak {
    leak(|leak| {
        leak.scope = Scope::Group(key(Direction::Inbound, "10.0.0.9", 9090));
        leak.class = Class::AbandonedByPeer;
        leak.samples = vec![sample("10.0.0.7:9090", "10.0.0.9:40112", minutes(57))];
        change(leak);
    })
}

pub fn told(stage: Stage, name: &[u8], pid: u32, leak: Leak) -> Finding {
    Finding {
        id: FindingId {
            rule: Rule::Growth,
            number: 1,
        },
        stage,
        process: process(pid),
        comm: comm(name),
        netns: Some(NETNS),
        kind: Kind::Leak(Box::new(leak)),
    }
}

/// A server that is nearly full.
pub fn exhausted(stage: Stage, change: impl FnOnce(&mut Exhaustion)) -> Finding {
    let mut exhaustion = Exhaustion {
        used: 840,
        sockets: 812,
        peak: 841,
        since: NOW.earlier(minutes(3)),
        limit: 1024,
        lasts: Some(minutes(12)),
        groups: vec![
            (key(Direction::Inbound, "10.0.0.9", 9090), 756),
            (key(Direction::Outbound, "fd00::5", 5432), 40),
        ],
    };
    change(&mut exhaustion);
    Finding {
        id: FindingId {
            rule: Rule::Limit,
            number: 1,
        },
        stage,
        process: process(4712),
        comm: comm(b"grpc-server"),
        netns: Some(NETNS),
        kind: Kind::Exhaustion(exhaustion),
    }
}

pub const CLASSES: [Class; 7] = [
    Class::CloseMissing,
    Class::Abandoned,
    Class::AbandonedByPeer,
    Class::ErrorsIgnored,
    Class::NotAccepted,
    Class::BlackHole,
    Class::Kept,
];

pub fn any_process() -> impl Strategy<Value = ProcessId> {
    prop_oneof![
        (any::<u32>(), any::<u64>()).prop_map(|(pid, start)| ProcessId {
            pid,
            start: Time(start)
        }),
        Just(ProcessId::KERNEL),
        Just(ProcessId::OTHER),
    ]
}

fn any_direction() -> impl Strategy<Value = Direction> {
    select(&[Direction::Outbound, Direction::Inbound][..])
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let peers = vec((any_group(), any::<u32>()), 0..=Leak::MEMBERS);
    let processes = vec((any_process(), any_comm(), any::<u32>()), 0..=Leak::MEMBERS);
    let peer = prop_oneof![any::<IpAddr>().prop_map(Peer::Address), Just(Peer::Other)];
    let few = || prop_oneof![0..3_u32, any::<u32>()];
    prop_oneof![
        any_group().prop_map(Scope::Group),
        (any_direction(), any::<u32>(), peers).prop_map(|(direction, peers, most)| Scope::Process {
            direction,
            peers,
            most
        }),
        (any_direction(), peer, few(), few(), processes).prop_map(
            |(direction, peer, processes, ports, most)| Scope::Peer {
                direction,
                peer,
                processes,
                ports,
                most
            }
        ),
    ]
}

fn any_basis() -> impl Strategy<Value = Basis> {
    prop_oneof![
        any::<Duration>().prop_map(|period| Basis::Survivors { period }),
        any::<Duration>().prop_map(|period| Basis::PeerGone { period }),
        any::<u32>().prop_map(|times| Basis::Sawtooth { times }),
        Just(Basis::Surge),
        Just(Basis::Accumulated),
        Just(Basis::Restarts),
        Just(Basis::Unanswered),
        Just(Basis::Row),
    ]
}

fn any_explanations() -> impl Strategy<Value = Vec<Explanation>> {
    let why = prop_oneof![
        any::<Duration>().prop_map(RuledOut::StillGrowing),
        any::<u8>().prop_map(RuledOut::ShareOfLimit),
        select(
            &[
                RuledOut::Unused,
                RuledOut::Useless,
                RuledOut::Beat,
                RuledOut::LongerThanADay,
                RuledOut::Again,
                RuledOut::TooFast,
            ][..]
        ),
    ];
    vec(option::of(why), 3).prop_map(|why| {
        [Healthy::WarmUp, Healthy::Pool, Healthy::Diurnal]
            .into_iter()
            .zip(why)
            .map(|(healthy, ruled_out)| Explanation { healthy, ruled_out })
            .collect()
    })
}

fn any_age() -> impl Strategy<Value = Age> {
    any::<(Duration, bool)>().prop_map(|(span, at_least)| Age { span, at_least })
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let interval = any::<(f64, f64, f64)>().prop_map(|(low, mid, high)| Interval { low, mid, high });
    let silence = any::<(u32, u32, Duration)>().prop_map(|(silent, of, span)| Silence { silent, of, span });
    let cadence =
        any::<(u32, Duration, u32)>().prop_map(|(burst, every, bursts)| Cadence { burst, every, bursts });
    let ages =
        (any_age(), any_age(), any_age()).prop_map(|(oldest, median, p90)| Ages { oldest, median, p90 });
    let optional = (
        option::of(interval),
        option::of(silence),
        option::of(cadence),
        option::of(ages),
    );
    (
        any::<[u64; 7]>(),
        vec(any::<u32>(), 0..40),
        any::<[Duration; 2]>(),
        optional,
        any_explanations(),
    )
        .prop_map(
            |(numbers, survivors, [period, known_for], (per_hour, silence, cadence, ages), explanations)| {
                let [since, until, opened, closed, matured, left, closed_ever] = numbers;
                Evidence {
                    since: Time(since),
                    counted_since: Time(since),
                    until: Time(until),
                    opened,
                    closed,
                    survivors,
                    period,
                    matured,
                    left,
                    ages,
                    silence,
                    per_hour,
                    cadence,
                    closed_ever,
                    known_for,
                    explanations,
                }
            },
        )
}

fn any_forecast() -> impl Strategy<Value = Forecast> {
    let resource = select(&[Resource::Descriptors, Resource::Ports][..]);
    let expected = prop_oneof![any::<Duration>(), Just(Duration::ZERO)];
    let numbers = any::<(u32, u64, Duration, Option<Duration>, bool)>();
    (resource, expected, numbers).prop_map(|(resource, expected, (used, limit, earliest, latest, uneven))| {
        Forecast {
            resource,
            used,
            limit,
            expected,
            earliest,
            latest,
            uneven,
        }
    })
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let phase = prop_oneof![
        any::<u16>().prop_map(Phase::Failed),
        any::<bool>().prop_map(|given_up| Phase::Unaccepted { given_up }),
        select(
            &[
                Phase::Connecting,
                Phase::Open,
                Phase::HalfClosedRemote,
                Phase::HalfClosedLocal,
                Phase::DeadHeld,
                Phase::Released,
            ][..]
        ),
    ];
    let rest = any::<(u64, SocketAddr, SocketAddr, Option<Duration>)>();
    (any_process(), any_age(), phase, rest).prop_map(
        |(process, age, phase, (id, local, peer, silent_for))| Sample {
            id: ConnectionId(id),
            process,
            local,
            peer,
            age,
            phase,
            silent_for,
        },
    )
}

pub fn any_leak() -> impl Strategy<Value = Leak> {
    let verdict = (
        select(&[Tier::Suspected, Tier::Confirmed][..]),
        select(&[Severity::Warning, Severity::Critical][..]),
        select(&CLASSES[..]),
        any_basis(),
    );
    let news = vec(
        select(&[News::Confirmed, News::Critical, News::Doubled, News::Restarted][..]),
        0..4,
    );
    (
        any_scope(),
        verdict,
        any::<(u32, u32, u32, u64)>(),
        any_evidence(),
        option::of(any_forecast()),
        vec(any_sample(), 0..=Leak::SAMPLES),
        news,
    )
        .prop_map(
            |(scope, (tier, severity, class, basis), numbers, evidence, forecast, samples, news)| {
                let (open, peak, lives, began) = numbers;
                Leak {
                    scope,
                    tier,
                    severity,
                    class,
                    basis,
                    open,
                    peak,
                    phases: phases(open, peak),
                    evidence,
                    forecast,
                    samples,
                    lives,
                    began: Time(began),
                    news,
                }
            },
        )
}

pub fn any_exhaustion() -> impl Strategy<Value = Exhaustion> {
    let numbers = any::<(u32, u32, u32, u64, u64, Option<Duration>)>();
    let groups = vec((any_group(), any::<u32>()), 0..=Leak::MEMBERS);
    (numbers, groups).prop_map(
        |((used, sockets, peak, since, limit, lasts), groups)| Exhaustion {
            used,
            sockets,
            peak,
            since: Time(since),
            limit,
            lasts,
            groups,
        },
    )
}
