//! From what the rule remembers and the ledger knows to what a person is told.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    alert::Alert,
    evidence::{
        Basis, Class, Evidence, Explanation, Forecast, Healthy, Interval, Leak, Resource, RuledOut, Sample,
        Scope, Severity, Tier,
    },
    rings::{COHORTS, Picture},
    thresholds::Thresholds,
    usage::{self, Usage},
    watch::{Key, Population, Watch},
};
use crate::model::{
    budget::Standing,
    connection::{Connection, ConnectionId, Direction, GroupKey, Phase, Phases, ProcessId},
    ledger::Ledger,
    time::Time,
    view::{Age, Ages},
};

/// A growth that takes the limit within that time is no daily course.
const FASTER_THAN_A_DAY: Duration = Duration::from_hours(3);
/// After this time a program is warm.
const WARM: Duration = Duration::from_mins(40);
const DAY: Duration = Duration::from_hours(24);
/// Share of the limit, in percent, that no pool is given on purpose.
const TOO_MUCH: u8 = 50;
/// A limit this near is critical, and this near where peers are gone.
const SOON: Duration = Duration::from_hours(1);
const SOON_USELESS: Duration = Duration::from_hours(6);
/// Width of a 90 % interval in standard deviations.
const NINETY: f64 = 1.645;

/// All that is told of an alert now.
pub fn leak(watch: &Watch, alert: &Alert, ledger: &Ledger, thresholds: &Thresholds, now: Time) -> Leak {
    let members: Vec<_> = usage::members(ledger, &watch.key)
        .filter(|(_, connection)| alert.population == Population::All || connection.life.peer_gone.is_some())
        .collect();
    let mut phases = Phases::default();
    for (_, connection) in &members {
        phases.add(connection.phase);
    }
    let least_age = alert.period() * 2;
    let usage = Usage::of(ledger, &watch.key, now, least_age);
    let is_unused = usage.is_some_and(|usage| usage.unused_share() >= thresholds.unused);
    let open = watch.total(alert.population);
    let standing = watch
        .key
        .process()
        .and_then(|process| ledger.budget(process, now));
    let per_hour = alert.per_hour();
    let forecast = per_hour
        .zip(standing)
        .and_then(|(rate, standing)| forecast(rate, &standing, alert));
    let ages = members
        .iter()
        .map(|(_, connection)| age(connection, now))
        .collect();
    let mut evidence = Evidence {
        since: alert.since,
        until: now,
        opened: alert.opened_in_window(watch),
        closed: alert.closed_in_window(watch),
        survivors: alert.survivors(),
        period: alert.period(),
        matured: alert.picture.map_or(0, |picture| picture.matured.into()),
        left: alert.picture.map_or(0, |picture| picture.left.into()),
        ages: Ages::of(ages),
        silence: usage.map(|usage| usage.silence()),
        per_hour,
        cadence: watch.beat.cadence(),
        closed_ever: watch.closed,
        known_for: now.since(watch.since),
        explanations: Vec::new(),
    };
    let class = class(&phases, watch.key.direction(), alert, is_unused);
    evidence.explanations = explanations(
        alert,
        &evidence,
        class,
        standing.as_ref(),
        forecast.as_ref(),
        open,
        is_unused,
    );
    let tier = alert.tier.max(tier(&evidence.explanations, alert));
    Leak {
        scope: scope(&watch.key, &members, ledger),
        tier,
        severity: severity(alert, forecast.as_ref(), standing.as_ref(), thresholds),
        class,
        basis: alert.basis,
        open,
        peak: alert.peak,
        phases,
        samples: samples(&members, now),
        forecast,
        evidence,
        lives: alert.lives,
        began: alert.began,
        news: Vec::new(),
    }
}

fn age(connection: &Connection, now: Time) -> Age {
    Age {
        span: now.since(connection.opened),
        at_least: connection.older,
    }
}

/// Sure enough if no healthy explanation is left, and the verdict does not rest on one look.
fn tier(explanations: &[Explanation], alert: &Alert) -> Tier {
    let is_left = explanations
        .iter()
        .any(|explanation| explanation.ruled_out.is_none());
    if is_left || !alert.was_seen_twice() {
        Tier::Suspected
    } else {
        Tier::Confirmed
    }
}

fn class(phases: &Phases, direction: Direction, alert: &Alert, is_unused: bool) -> Class {
    match (phases.prevailing(), direction) {
        (Some(Phase::DeadHeld), _) => Class::ErrorsIgnored,
        (Some(Phase::HalfClosedRemote), _) => Class::CloseMissing,
        _ if alert.population == Population::Gone => Class::CloseMissing,
        (_, Direction::Outbound) if is_unused => Class::Abandoned,
        (_, Direction::Inbound) if is_unused => Class::AbandonedByPeer,
        _ => Class::Kept,
    }
}

fn severity(
    alert: &Alert,
    forecast: Option<&Forecast>,
    standing: Option<&Standing>,
    thresholds: &Thresholds,
) -> Severity {
    let soon = match alert.population {
        Population::All => SOON,
        Population::Gone => SOON_USELESS,
    };
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let is_full = standing.is_some_and(|standing| {
        standing
            .limit
            .is_some_and(|limit| f64::from(standing.used) >= thresholds.limit * limit as f64)
    });
    if is_full || forecast.is_some_and(|forecast| forecast.expected < soon) {
        Severity::Critical
    } else {
        Severity::Warning
    }
}

/// Growth by the newer two thirds of a picture, for the first is usually cut by the onset: k survivors in four periods,
/// with the interval of a Poisson count, widened to the spread of the thirds.
pub fn rate(picture: &Picture, period: Duration) -> Option<Interval> {
    let [_, second, third] = picture.thirds();
    let k = f64::from(second.saturating_add(third));
    let hours = period.as_secs_f64() / 3600.0;
    if k <= 0.0 || hours <= 0.0 {
        return None;
    }
    let per_hour = |count: f64, periods: f64| (count / (periods * hours)).max(0.0);
    let (least, most) = thirds_range(picture);
    Some(Interval {
        low: per_hour(k - NINETY * k.sqrt(), 4.0).min(per_hour(least, 2.0)),
        mid: per_hour(k, 4.0),
        high: per_hour(k + NINETY * k.sqrt(), 4.0).max(per_hour(most, 2.0)),
    })
}

fn thirds_range(picture: &Picture) -> (f64, f64) {
    let thirds = picture.thirds().map(f64::from);
    let least = thirds.into_iter().fold(f64::INFINITY, f64::min);
    let most = thirds.into_iter().fold(0.0, f64::max);
    (least, most)
}

fn forecast(rate: Interval, standing: &Standing, alert: &Alert) -> Option<Forecast> {
    let limit = standing.limit?;
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let left = limit.saturating_sub(standing.used.into()) as f64;
    let after = |per_hour: f64| {
        (per_hour > 0.0)
            .then(|| Duration::try_from_secs_f64(left / per_hour * 3600.0).ok())
            .flatten()
    };
    let uneven = alert.picture.is_some_and(|picture| {
        let (least, most) = thirds_range(&picture);
        most > 2.0 * least
    });
    Some(Forecast {
        resource: Resource::Descriptors,
        used: standing.used,
        limit,
        expected: after(rate.mid)?,
        earliest: after(rate.high)?,
        latest: after(rate.low),
        uneven,
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is one of the circumstances that rule an explanation out"
)]
fn explanations(
    alert: &Alert,
    evidence: &Evidence,
    class: Class,
    standing: Option<&Standing>,
    forecast: Option<&Forecast>,
    open: u32,
    is_unused: bool,
) -> Vec<Explanation> {
    let window = evidence.until.since(evidence.since);
    let share = standing
        .and_then(|standing| standing.limit)
        .map_or(0, |limit| (u64::from(open) * 100).checked_div(limit).unwrap_or(0));
    let share = u8::try_from(share.min(100)).unwrap_or(100);
    let useless = matches!(class, Class::CloseMissing | Class::ErrorsIgnored).then_some(RuledOut::Useless);
    let unused = is_unused.then_some(RuledOut::Unused);
    let beat = evidence.cadence.map(|_| RuledOut::Beat);
    let long = (window >= DAY).then_some(RuledOut::LongerThanADay);
    let much = (share >= TOO_MUCH).then_some(RuledOut::ShareOfLimit(share));
    let again = (alert.lives > 1 || matches!(alert.basis, Basis::Sawtooth { .. })).then_some(RuledOut::Again);
    let warm = (window >= WARM).then_some(RuledOut::StillGrowing(window));
    let fast = forecast
        .is_some_and(|forecast| forecast.expected < FASTER_THAN_A_DAY)
        .then_some(RuledOut::TooFast);
    vec![
        Explanation {
            healthy: Healthy::WarmUp,
            ruled_out: useless.or(warm).or(again).or(much),
        },
        Explanation {
            healthy: Healthy::Pool,
            ruled_out: useless.or(unused).or(beat).or(much).or(again),
        },
        Explanation {
            healthy: Healthy::Diurnal,
            ruled_out: useless.or(long).or(unused).or(beat).or(fast).or(again),
        },
    ]
}

fn scope(key: &Key, members: &[(ConnectionId, &Connection)], ledger: &Ledger) -> Scope {
    fn most<K: Ord + Copy>(counts: BTreeMap<K, u32>) -> Vec<(K, u32)> {
        let mut counts: Vec<(K, u32)> = counts.into_iter().collect();
        counts.sort_by_key(|(key, count)| (Reverse(*count), *key));
        counts.truncate(Leak::MEMBERS);
        counts
    }
    fn count<K: Ord>(
        members: &[(ConnectionId, &Connection)],
        key_of: impl Fn(&GroupKey) -> K,
    ) -> BTreeMap<K, u32> {
        let mut counts = BTreeMap::new();
        for (_, connection) in members {
            *counts.entry(key_of(&connection.group)).or_default() += 1;
        }
        counts
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    match *key {
        Key::Group(group) => Scope::Group(group.peer_key()),
        Key::Process(_, direction) => {
            let peers: BTreeSet<_> = members
                .iter()
                .map(|(_, connection)| connection.group.peer)
                .collect();
            Scope::Process {
                direction,
                peers: number(peers.len()),
                most: most(count(members, |group| group.peer_key())),
            }
        }
        Key::Peer(direction, peer) => {
            let processes = count(members, |group| group.process);
            let ports: BTreeSet<u16> = members
                .iter()
                .map(|(_, connection)| connection.group.service_port)
                .collect();
            Scope::Peer {
                direction,
                peer,
                processes: number(processes.len()),
                ports: number(ports.len()),
                most: most(processes)
                    .into_iter()
                    .map(|(process, count)| (process, ledger.name(process), count))
                    .collect(),
            }
        }
    }
}

/// The process that a finding is about: of a peer, the one that holds the most.
pub fn process(key: &Key, leak: &Leak) -> ProcessId {
    match (key.process(), &leak.scope) {
        (Some(process), _) => process,
        (None, Scope::Peer { most, .. }) => most.first().map_or(ProcessId::OTHER, |(process, ..)| *process),
        (None, _) => ProcessId::OTHER,
    }
}

fn samples(members: &[(ConnectionId, &Connection)], now: Time) -> Vec<Sample> {
    let mut oldest: Vec<_> = members.iter().collect();
    oldest.sort_unstable_by_key(|(id, connection)| (connection.opened, *id));
    oldest
        .into_iter()
        .take(Leak::SAMPLES)
        .map(|(id, connection)| Sample {
            id: *id,
            process: connection.group.process,
            local: connection.local,
            peer: connection.peer,
            age: age(connection, now),
            phase: connection.phase,
            silent_for: usage::silent_for(connection, now),
        })
        .collect()
}

/// Cohorts of a window.
pub const WINDOW: u32 = COHORTS as u32 + 2;
