//! Verdicts: whether what looks like a leak is one.

use std::{collections::BTreeMap, time::Duration};

use super::{
    alert::{Alert, Ground},
    describe,
    evidence::Basis,
    renewal, rings,
    surge::Pace,
    thresholds::Thresholds,
    usage::{self, Usage, Use},
    watch::{Candidate, Extent, Key, Level, Population, Watch},
    watches::Watches,
};
use crate::model::{
    connection::{Direction, GroupKey},
    fact::Start,
    ledger::Ledger,
    time::Time,
};

const DAY: Duration = Duration::from_hours(24);
/// Mature cohorts of a picture.
#[expect(clippy::cast_precision_loss, reason = "six")]
const MATURE: f64 = rings::COHORTS as f64;
/// Cohorts of the newer half of a window, and periods.
const NEWER: u32 = 3;
/// Share of a roll-up that findings about its parts must cover to make one about it superfluous.
const EXPLAINED: f64 = 0.3;
/// Connections to each of many peers, on average, from which on it is no mesh.
const MORE_THAN_A_MESH: u32 = 3;
/// The same, from which on it is no small pool to each of them, either.
pub const MORE_THAN_A_POOL: u32 = 8;

/// A watch, if the slot has one.
pub fn watch(watches: &Watches, slot: u32) -> Option<&Watch> {
    watches.get(slot)
}

/// Whether the limit is nearer than `within` at this pace.
fn is_within(left: u64, per_second: f64, within: Duration) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let left = left as f64;
    left <= per_second * within.as_secs_f64()
}

/// Whether a growth that takes the limit away is worth a word: where the connections are in use, only if the limit is an
/// hour away and two thirds are taken, for that may be load. Of a crowd that has just come nobody knows yet whether they
/// are: it counts as if.
pub fn is_surge(
    watch: &Watch,
    pace: &Pace,
    left: u64,
    thresholds: &Thresholds,
    ledger: &Ledger,
    now: Time,
) -> bool {
    const SOON: Duration = Duration::from_hours(1);
    /// And so many times as many as are left.
    const NEARLY_FULL: u64 = 2;
    let is_in_use = || {
        let grown = (pace.since, Duration::ZERO);
        Usage::of(ledger, &watch.key, now, grown, thresholds.silent_for).map_or_else(
            || is_crowd(watch, ledger),
            |usage| usage.verdict(thresholds) == Use::Working,
        )
    };
    let is_nearly_full = u64::from(watch.all.total) >= left.saturating_mul(NEARLY_FULL);
    is_within(left, pace.per_second, thresholds.surge_within)
        && ((is_within(left, pace.per_second, SOON) && is_nearly_full) || !is_in_use())
}

/// Whether they are of very many, who have one or two each.
fn is_crowd(watch: &Watch, ledger: &Ledger) -> bool {
    matches!(watch.key, Key::Process(_, Direction::Inbound))
        && watch.all.total < parts(watch, Population::All, ledger).saturating_mul(MORE_THAN_A_MESH)
}

/// Whether a candidate has enough survivors, now that the ledger can be asked whether they are used.
pub fn is_enough(
    watch: &Watch,
    candidate: &Candidate,
    thresholds: &Thresholds,
    ledger: &Ledger,
    now: Time,
) -> bool {
    let survivors = survivors(candidate);
    if candidate.teeth.is_some() && has_worked(watch, candidate, now) {
        return false;
    }
    if candidate.population == Population::Gone || candidate.teeth.is_some() || candidate.lives.is_some() {
        return is_rollup_of_many(watch, candidate.population, ledger, None, survivors, thresholds);
    }
    if let Some((level, growth)) = candidate.level {
        return is_level_enough(watch, candidate, (level, growth), thresholds, ledger, now);
    }
    let (since, period) = window(watch, candidate);
    let usage = usage_of(watch, candidate, thresholds, ledger, now);
    let usage_is = usage.map(|usage| usage.verdict(thresholds));
    // As many were there before, and went.
    if !usage_is.is_some_and(Use::is_unused) && watch.all.total <= watch.crest {
        return false;
    }
    if candidate.extent == Extent::Halves && usage_is != Some(Use::Forgotten) {
        return false;
    }
    let spread = spread(watch, thresholds);
    let is_days = period * describe::WINDOW >= DAY;
    let cohorts = if candidate.extent == Extent::NewerHalf {
        f64::from(NEWER)
    } else {
        MATURE
    };
    let per_second = survivors / (period.as_secs_f64() * cohorts);
    if candidate.extent == Extent::NewerHalf && !is_pressing(watch, per_second, period * NEWER, thresholds) {
        return false;
    }
    // What takes longer can wait until it is known to be forgotten, or has gone on for more than a day.
    let can_wait = watch
        .left
        .is_some_and(|left| !is_within(left, per_second, thresholds.hurry));
    let factor = match usage_is {
        Some(Use::Forgotten) => thresholds.unused_factor,
        Some(Use::Working) if generations(watch, ledger, since, period) < thresholds.used_generations => {
            return false;
        }
        Some(Use::Working) if is_days => thresholds.used_factor_days * spread,
        Some(Use::Working) => {
            let patience = if can_wait {
                thresholds.used_factor_time
            } else {
                1.0
            };
            thresholds.used_factor * patience * spread * of_room(watch, thresholds)
        }
        Some(Use::Quiet | Use::Unclear) if can_wait && !is_days => thresholds.used_factor * spread,
        Some(Use::Quiet) => thresholds.quiet_factor * spread,
        Some(Use::Unclear) | None => spread,
    };
    survivors >= candidate.need * factor
        && is_rollup_of_many(
            watch,
            candidate.population,
            ledger,
            usage.as_ref(),
            survivors,
            thresholds,
        )
}

/// The survivors that count.
fn survivors(candidate: &Candidate) -> f64 {
    if candidate.extent == Extent::NewerHalf {
        f64::from(candidate.picture.newer())
    } else {
        f64::from(candidate.picture.all())
    }
}

/// Whether too much of the limit will be in use after so long a wait.
fn is_pressing(watch: &Watch, per_second: f64, wait: Duration, thresholds: &Thresholds) -> bool {
    let more = per_second * wait.as_secs_f64();
    watch.limit.zip(watch.left).is_some_and(|(limit, left)| {
        #[expect(clippy::cast_precision_loss, reason = "numbers of descriptors")]
        let (limit, left) = (limit as f64, left as f64);
        limit - left + more >= thresholds.pressing * limit
    })
}

/// The same of a level that rises.
fn is_level_enough(
    watch: &Watch,
    candidate: &Candidate,
    (level, growth): (Level, renewal::Growth),
    thresholds: &Thresholds,
    ledger: &Ledger,
    now: Time,
) -> bool {
    let per_second = f64::from(growth.by) / renewal::window(candidate.scale).as_secs_f64();
    let is_days = rings::period(candidate.scale) * renewal::PERIODS >= DAY;
    let is_near = watch
        .left
        .is_none_or(|left| is_within(left, per_second, thresholds.hurry));
    let factor = match level {
        Level::All => 1.0,
        Level::Dormant => thresholds.unused_factor,
    };
    !matches!(watch.key, Key::Peer(..))
        && f64::from(growth.by) >= candidate.need * factor * spread(watch, thresholds)
        && match level {
            Level::All => is_idle(watch, thresholds, ledger, now),
            // Of sleepers there are ever more until the evening: that can wait for a day, if there is one.
            Level::Dormant => is_days || is_near,
        }
}

/// What connections need more that are spread over peers or processes.
const fn spread(watch: &Watch, thresholds: &Thresholds) -> f64 {
    match watch.key {
        Key::Group(_) => 1.0,
        Key::Process(..) | Key::Peer(..) => thresholds.spread_factor,
    }
}

/// Whether nearly all there are have been silent for most of their lives.
fn is_idle(watch: &Watch, thresholds: &Thresholds, ledger: &Ledger, now: Time) -> bool {
    let all = (Time(0), Duration::ZERO);
    Usage::of(ledger, &watch.key, now, all, thresholds.silent_for)
        .is_some_and(|usage| usage.verdict(thresholds).is_unused())
}

/// What connections in use that others open need more, because a crowd does not need less the more of it is there: the
/// share of the room that they have, and not of what they have left.
fn of_room(watch: &Watch, thresholds: &Thresholds) -> f64 {
    let head = |left| thresholds.head(Direction::Inbound, Some(left)).max(1.0);
    match (watch.key.direction(), watch.room, watch.left) {
        (Direction::Inbound, Some(room), Some(left)) => head(room) / head(left),
        _ => 1.0,
    }
}

/// Since when what a candidate shows has opened, and its period.
pub fn window(watch: &Watch, candidate: &Candidate) -> (Time, Duration) {
    let period = rings::period(candidate.scale);
    let since = candidate.at.begin(watch.phase).earlier(period * describe::WINDOW);
    (since, period)
}

/// Whether the survivors of a candidate are used.
pub fn usage_of(
    watch: &Watch,
    candidate: &Candidate,
    thresholds: &Thresholds,
    ledger: &Ledger,
    now: Time,
) -> Option<Usage> {
    let (since, period) = window(watch, candidate);
    let skipped = if candidate.extent == Extent::NewerHalf {
        period * NEWER
    } else {
        Duration::ZERO
    };
    let grown = (since + skipped, period * 2);
    Usage::of(ledger, &watch.key, now, grown, thresholds.silent_for)
}

/// Whether any tooth of a saw was in use: workers that come with the work and go with it, as often as there is some.
fn has_worked(watch: &Watch, candidate: &Candidate, now: Time) -> bool {
    /// Teeth that are looked back upon, and the pauses between them.
    const BACK: u32 = 8;
    let window = rings::period(candidate.scale) * describe::WINDOW;
    watch
        .worked
        .is_some_and(|worked| now.since(worked) <= window * BACK)
}

/// Of the parts of a window, six to a period, those in which something opened that is still there and no longer young.
/// A pool that is made larger now and then has few, and a leak as many as it has connections.
fn generations(watch: &Watch, ledger: &Ledger, since: Time, period: Duration) -> u32 {
    const PARTS: u32 = 6;
    let part = (period / PARTS).as_nanos().max(1);
    let mut seen = 0_u64;
    for (_, connection) in usage::members(ledger, &watch.key, Population::All) {
        if connection.older || connection.opened < since {
            continue;
        }
        let number = connection.opened.since(since).as_nanos() / part;
        if number < (rings::COHORTS as u128) * u128::from(PARTS) {
            seen |= 1 << number;
        }
    }
    seen.count_ones()
}

/// How many groups a roll-up has connections in.
pub fn parts(watch: &Watch, population: Population, ledger: &Ledger) -> u32 {
    let mut groups: Vec<GroupKey> = usage::members(ledger, &watch.key, population)
        .map(|(_, connection)| connection.group)
        .collect();
    groups.sort_unstable();
    groups.dedup();
    u32::try_from(groups.len()).unwrap_or(u32::MAX)
}

/// Whether a roll-up sees more than its groups do: several of them, and more than a mesh has.
fn is_rollup_of_many(
    watch: &Watch,
    population: Population,
    ledger: &Ledger,
    usage: Option<&Usage>,
    survivors: f64,
    thresholds: &Thresholds,
) -> bool {
    if matches!(watch.key, Key::Group(_)) {
        return true;
    }
    let parts = parts(watch, population, ledger);
    let usage = usage.map(|usage| usage.verdict(thresholds));
    let is_unused = usage.is_some_and(Use::is_unused);
    let is_thick = survivors >= f64::from(parts.saturating_mul(MORE_THAN_A_MESH));
    let is_very_thick = survivors >= f64::from(parts.saturating_mul(MORE_THAN_A_POOL));
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let has_much = watch
        .limit
        .is_some_and(|limit| f64::from(watch.all.total) >= thresholds.surge * limit as f64);
    // Connections in use to ever more peers are what service discovery makes: not where most of what opens is closed
    // again, nor where there are ever more to each.
    let is_churning = watch.closed.saturating_mul(2) >= watch.opened;
    let is_more = match usage {
        Some(Use::Working) => has_much && (is_churning || is_very_thick),
        _ => is_thick || is_unused || has_much,
    } || population == Population::Gone;
    parts >= 2 && (is_more || matches!(watch.key, Key::Peer(..)))
}

/// Whether what is found of a watch is told already, by what covers it or by its parts.
pub fn is_explained(alerts: &BTreeMap<u32, Alert>, watches: &Watches, slot: u32) -> bool {
    let Some(own) = watch(watches, slot) else {
        return true;
    };
    if let Key::Group(_) = own.key {
        return own.rollups.iter().any(|rollup| alerts.contains_key(rollup));
    }
    let covered: u32 = alerts
        .keys()
        .filter(|other| **other != slot)
        .filter_map(|other| watch(watches, *other))
        .filter(|part| matches!(part.key, Key::Group(group) if own.key.covers(&group)))
        .map(|part| part.all.total)
        .sum();
    let crossed = alerts.keys().filter(|other| **other != slot).any(|other| {
        // A peer's and a process's connections may be the same ones.
        matches!(
            watch(watches, *other).map(|other| other.key),
            Some(Key::Process(..) | Key::Peer(..))
        )
    });
    crossed || f64::from(covered) >= EXPLAINED * f64::from(own.all.total)
}

/// Whether what a finding counts is still there, as far as the last snapshot tells.
pub fn is_intact(watch: &Watch, ground: &Ground, ledger: &Ledger) -> bool {
    /// Share of the survivors that must be.
    const INTACT: f64 = 0.9;
    let held = usage::members(ledger, &watch.key, ground.population).filter(|(id, connection)| {
        !ledger.misses(*id)
            && match (ground.population, connection.life.opened) {
                (Population::Gone, _) => true,
                (Population::All, Start::Seen(opened)) => ground.picture.is_none() || opened >= ground.since,
                (Population::All, Start::Older) => ground.picture.is_none(),
            }
    });
    let counted = match ground.picture {
        // A saw has just dropped.
        Some(_) if matches!(ground.basis, Basis::Sawtooth { .. }) => return true,
        Some((_, picture)) => picture.all(),
        None => watch.total(ground.population),
    };
    let held = u32::try_from(held.count()).unwrap_or(u32::MAX);
    f64::from(held) >= INTACT * f64::from(counted)
}
