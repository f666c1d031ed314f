//! From what the rule remembers and the ledger knows to what a person is told.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use super::{
    census::{self, Census},
    evidence::{
        Basis, Cadence, Class, Evidence, Explanation, Forecast, Healthy, Interval, Leak, Resource, RuledOut,
        Sample, Scope, Severity, Tier,
    },
    rings::Picture,
    thresholds::Thresholds,
    usage::{self, Usage, Use},
    watch::{Key, Population},
};
use crate::model::{
    budget::Standing,
    connection::{Direction, Phase, ProcessId},
    ledger::Ledger,
    time::Time,
    view::Ages,
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

/// What a rule has seen, for [`leak`] to say it.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Which connections.
    pub key: Key,
    /// Of these, all or those whose peer is gone.
    pub population: Population,
    /// What the verdict rests on.
    pub basis: Basis,
    /// The picture it rests on, and the length of a period.
    pub picture: Option<(Duration, Picture)>,
    /// When it began, at the latest.
    pub began: Time,
    /// Begin of the window.
    pub since: Time,
    /// Opened and closed, since when.
    pub counts: (u64, u64, Time),
    /// Growth.
    pub per_hour: Option<Interval>,
    /// The beat.
    pub cadence: Option<Cadence>,
    /// Closes ever.
    pub closed_ever: u64,
    /// Known since.
    pub known_since: Time,
    /// Open now, and at the peak.
    pub open: (u32, u32),
    /// Whether more than one look says so.
    pub seen_twice: bool,
    /// The surest it has been.
    pub tier: Tier,
    /// Processes one after the other.
    pub lives: u32,
}

/// All that is told of it now.
pub fn leak(sight: &Sight, ledger: &Ledger, thresholds: &Thresholds, now: Time) -> Leak {
    let key = &sight.key;
    let census = Census::of(usage::members(ledger, key, sight.population), now);
    let period = sight.picture.map_or(Duration::ZERO, |(period, _)| period);
    let picture = sight.picture.map(|(_, picture)| picture);
    let window = match sight.basis {
        // They were there before.
        Basis::Accumulated => Time(0),
        _ => sight.since,
    };
    let usage = Usage::of(ledger, key, now, (window, period * 2), thresholds.silent_for);
    let used = usage.map(|usage| usage.verdict(thresholds));
    let standing = key.process().and_then(|process| ledger.budget(process, now));
    let forecast = sight
        .per_hour
        .zip(standing)
        .and_then(|(rate, standing)| forecast(rate, &standing, picture.as_ref()));
    let is_unused = sight.basis == Basis::Dormant || used.is_some_and(Use::is_unused);
    let class = class(&census, key.direction(), is_unused);
    let explanations = explanations(&Circumstances {
        window: now.since(sight.since),
        class,
        used,
        has_beat: sight.cadence.is_some(),
        share: share(sight.open.0, standing.as_ref()),
        again: sight.lives > 1,
        lasts: forecast.map(|forecast| forecast.expected),
    });
    let tier = sight.tier.max(tier(&explanations, sight.seen_twice));
    Leak {
        scope: scope(key, &census, ledger),
        tier,
        severity: severity(sight.population, forecast.as_ref(), standing.as_ref(), thresholds),
        class,
        basis: sight.basis,
        open: sight.open.0,
        peak: sight.open.1,
        phases: census.phases,
        samples: samples(&census, now),
        forecast,
        evidence: Evidence {
            since: sight.since,
            until: now,
            counted_since: sight.counts.2,
            opened: sight.counts.0,
            closed: sight.counts.1,
            survivors: picture.map_or_else(Vec::new, |picture| picture.survivors.to_vec()),
            period,
            matured: picture.map_or(0, |picture| picture.matured.into()),
            left: picture.map_or(0, |picture| picture.left.into()),
            ages: Ages::of(census.ages),
            silence: usage.map(|usage| usage.silence()),
            per_hour: sight.per_hour,
            cadence: sight.cadence,
            closed_ever: sight.closed_ever,
            known_for: now.since(sight.known_since),
            explanations,
        },
        lives: sight.lives,
        began: sight.began,
        news: Vec::new(),
    }
}

/// What rules healthy explanations out.
struct Circumstances {
    window: Duration,
    class: Class,
    used: Option<Use>,
    has_beat: bool,
    /// Of the limit, in percent.
    share: u8,
    again: bool,
    lasts: Option<Duration>,
}

fn share(open: u32, standing: Option<&Standing>) -> u8 {
    let limit = standing.and_then(|standing| standing.limit);
    let share = limit.and_then(|limit| (u64::from(open) * 100).checked_div(limit));
    u8::try_from(share.unwrap_or(0).min(100)).unwrap_or(100)
}

/// Sure enough if no healthy explanation is left, and the verdict does not rest on one look.
fn tier(explanations: &[Explanation], seen_twice: bool) -> Tier {
    let is_left = explanations
        .iter()
        .any(|explanation| explanation.ruled_out.is_none());
    if is_left || !seen_twice {
        Tier::Suspected
    } else {
        Tier::Confirmed
    }
}

fn class(census: &Census, direction: Direction, is_unused: bool) -> Class {
    let are_most = |some: usize| some * 2 > census.count;
    match (census.phases.prevailing(), direction) {
        _ if are_most(census.unanswered) => Class::BlackHole,
        _ if are_most(census.failed) => Class::ErrorsIgnored,
        (Some(Phase::DeadHeld), _) => Class::ErrorsIgnored,
        (Some(Phase::HalfClosedRemote), _) => Class::CloseMissing,
        (_, Direction::Outbound) if is_unused => Class::Abandoned,
        (_, Direction::Inbound) if is_unused => Class::AbandonedByPeer,
        _ => Class::Kept,
    }
}

fn severity(
    population: Population,
    forecast: Option<&Forecast>,
    standing: Option<&Standing>,
    thresholds: &Thresholds,
) -> Severity {
    let soon = match population {
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

fn forecast(rate: Interval, standing: &Standing, picture: Option<&Picture>) -> Option<Forecast> {
    let limit = standing.limit?;
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let left = limit.saturating_sub(standing.used.into()) as f64;
    let after = |per_hour: f64| {
        (per_hour > 0.0)
            .then(|| Duration::try_from_secs_f64(left / per_hour * 3600.0).ok())
            .flatten()
    };
    let uneven = picture.is_some_and(|picture| {
        let (least, most) = thirds_range(picture);
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

fn explanations(circumstances: &Circumstances) -> Vec<Explanation> {
    let Circumstances {
        window,
        class,
        used,
        has_beat,
        share,
        again,
        lasts,
    } = *circumstances;
    let useless = matches!(
        class,
        Class::CloseMissing | Class::ErrorsIgnored | Class::BlackHole
    )
    .then_some(RuledOut::Useless);
    let unused = used.is_some_and(Use::is_unused).then_some(RuledOut::Unused);
    let beat = has_beat.then_some(RuledOut::Beat);
    let long = (window >= DAY).then_some(RuledOut::LongerThanADay);
    // What is in use may have been given that much.
    let much = (share >= TOO_MUCH && used != Some(Use::Working)).then_some(RuledOut::ShareOfLimit(share));
    let again = again.then_some(RuledOut::Again);
    let warm = (window >= WARM).then_some(RuledOut::StillGrowing(window));
    let fast = lasts
        .is_some_and(|lasts| lasts < FASTER_THAN_A_DAY)
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

fn scope(key: &Key, census: &Census, ledger: &Ledger) -> Scope {
    fn most<K: Ord + Copy>(counts: BTreeMap<K, u32>) -> Vec<(K, u32)> {
        let mut counts: Vec<(K, u32)> = counts.into_iter().collect();
        counts.sort_by_key(|(key, count)| (Reverse(*count), *key));
        counts.truncate(Leak::MEMBERS);
        counts
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    match *key {
        Key::Group(group) => Scope::Group(group.peer_key()),
        Key::Process(_, direction) => Scope::Process {
            direction,
            peers: number(census.by(|group| group.peer).len()),
            most: most(census.by(|group| group.peer_key())),
        },
        Key::Peer(direction, peer) => {
            let processes = census.by(|group| group.process);
            let ports = census.by(|group| group.service_port);
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

fn samples(census: &Census, now: Time) -> Vec<Sample> {
    let oldest = census.oldest.iter();
    oldest
        .map(|(id, connection)| Sample {
            id: *id,
            process: connection.group.process,
            local: connection.local,
            peer: connection.peer,
            age: census::age(connection, now),
            phase: connection.phase,
            silent_for: usage::silent_for(connection, now),
        })
        .collect()
}

/// Periods of a window: the mature cohorts, and those that are too young.
pub const WINDOW: u32 = 8;
