//! The rule that finds leaks: survivor rings for each group of connections, and for each process and each peer.
//!
//! Events go into the rings as they come; once a second the rule looks at what has the shape of a leak, asks the ledger
//! whether it is used, and tells it after one more look. `docs/detection.md` has the algorithm.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::{
    Detector,
    alert::{Alert, Ground},
    describe,
    evidence::{Basis, News},
    finding::{Finding, FindingId, Kind, Rule, Stage},
    thresholds::Thresholds,
    usage::{self, Usage},
    watch::{Candidate, Key, Population, Watch},
};
use crate::model::{
    connection::GroupKey,
    fact::{Fact, Life, Start},
    ledger::Ledger,
    time::Time,
};

/// Groups are looked at in as many parts, one a second: each comes once in a period of the first scale.
const PHASES: u8 = 16;
/// How long a watch is kept in which nothing is open and nothing happens.
const FORGET_AFTER: Duration = Duration::from_hours(6);
/// Fewer connections than this are no surge.
const SURGE_LEAST: u32 = 16;
/// Share of a roll-up that findings about its parts must cover to make one about it superfluous.
const EXPLAINED: f64 = 0.3;
/// Connections to each of many peers, on average, from which on it is no mesh.
const MORE_THAN_A_MESH: u32 = 3;

/// The rule and its memory.
pub struct SurvivorRule {
    thresholds: Thresholds,
    limit: usize,
    index: HashMap<Key, u32>,
    watches: Vec<Option<Watch>>,
    free: Vec<u32>,
    /// Watches in which something happened since the last tick.
    news: Vec<u32>,
    /// What looked like a leak since the last tick.
    candidates: Vec<(u32, Candidate)>,
    scratch: Vec<Candidate>,
    /// What is told if the next look agrees.
    awaiting: BTreeMap<u32, Ground>,
    /// What was told and is not over.
    alerts: BTreeMap<u32, Alert>,
    next: u64,
    ticked: Option<Time>,
}

impl SurvivorRule {
    /// With these thresholds, for at most `limit` groups, processes and peers together.
    pub fn new(thresholds: Thresholds, limit: usize) -> Self {
        Self {
            thresholds,
            limit,
            index: HashMap::new(),
            watches: Vec::new(),
            free: Vec::new(),
            news: Vec::new(),
            candidates: Vec::new(),
            scratch: Vec::new(),
            awaiting: BTreeMap::new(),
            alerts: BTreeMap::new(),
            next: 1,
            ticked: None,
        }
    }

    fn slot(&mut self, key: Key, at: Time) -> Option<u32> {
        if let Some(slot) = self.index.get(&key) {
            return Some(*slot);
        }
        let rollups = match key {
            Key::Group(group) => {
                let [_, process, peer] = Key::of(group);
                [self.slot(process, at)?, self.slot(peer, at)?]
            }
            Key::Process(..) | Key::Peer(..) => [u32::MAX; 2],
        };
        if self.index.len() >= self.limit {
            return None;
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.watches.push(None);
                u32::try_from(self.watches.len() - 1).ok()?
            }
        };
        let phase = u8::try_from(slot % u32::from(PHASES)).unwrap_or(0);
        *self.watches.get_mut(slot as usize)? = Some(Watch::new(key, rollups, phase, at));
        self.index.insert(key, slot);
        Some(slot)
    }

    /// Changes the watches of a group, each brought up to the moment before.
    fn change(&mut self, group: GroupKey, at: Time, change: impl Fn(&mut Watch)) {
        let Some(slot) = self.slot(Key::Group(group), at) else {
            return;
        };
        let rollups = watch(&self.watches, slot).map_or([u32::MAX; 2], |watch| watch.rollups);
        for slot in [slot, rollups[0], rollups[1]] {
            let Some(watch) = self.watches.get_mut(slot as usize).and_then(Option::as_mut) else {
                continue;
            };
            watch.advance(at, &self.thresholds, &mut self.scratch);
            self.candidates
                .extend(self.scratch.drain(..).map(|candidate| (slot, candidate)));
            change(watch);
            watch.touched = watch.touched.max(at);
            if !watch.has_news {
                watch.has_news = true;
                self.news.push(slot);
            }
        }
    }

    /// Brings the watches up to now whose turn it is.
    fn advance(&mut self, now: Time, ledger: &Ledger) {
        let second = |time: Time| time.since(Time(0)).as_secs();
        let passed = self.ticked.map_or(u64::from(PHASES), |before| {
            second(now).saturating_sub(second(before))
        });
        for back in 0..passed.min(u64::from(PHASES)) {
            let phase = usize::try_from((second(now).saturating_sub(back)) % u64::from(PHASES)).unwrap_or(0);
            let mut slot = phase;
            while slot < self.watches.len() {
                self.advance_one(slot, now, ledger);
                slot += usize::from(PHASES);
            }
        }
        self.ticked = Some(now);
    }

    fn advance_one(&mut self, slot: usize, now: Time, ledger: &Ledger) {
        let Some(entry) = self.watches.get_mut(slot) else {
            return;
        };
        let Some(watch) = entry else {
            return;
        };
        let number = u32::try_from(slot).unwrap_or(u32::MAX);
        if watch.all.total == 0 {
            let is_stale = now.since(watch.touched) >= FORGET_AFTER && !self.alerts.contains_key(&number);
            // A roll-up lives as long as its groups do: these hold its slot.
            if is_stale
                && (matches!(watch.key, Key::Group(_)) || now.since(watch.touched) >= FORGET_AFTER * 2)
            {
                self.index.remove(&watch.key);
                *entry = None;
                self.free.push(number);
            }
            return;
        }
        watch.left = watch
            .key
            .process()
            .and_then(|process| ledger.budget(process, now))
            .and_then(|standing| Some(standing.limit?.saturating_sub(standing.used.into())));
        watch.advance(now, &self.thresholds, &mut self.scratch);
        self.candidates
            .extend(self.scratch.drain(..).map(|candidate| (number, candidate)));
    }

    /// Looks at what happened since the last tick, beside what the rings show.
    fn look_at_news(&mut self, now: Time, ledger: &Ledger) {
        for slot in std::mem::take(&mut self.news) {
            let Some(watch) = self.watches.get_mut(slot as usize).and_then(Option::as_mut) else {
                continue;
            };
            watch.has_news = false;
            let open = watch.all.total;
            let standing = watch
                .key
                .process()
                .and_then(|process| ledger.budget(process, now));
            let Some(limit) = standing.and_then(|standing| standing.limit) else {
                continue;
            };
            if open >= SURGE_LEAST && !self.alerts.contains_key(&slot) {
                let counts = (watch.opened, watch.closed);
                let surge = watch.surge.get_or_insert_default();
                surge.follow(now, open, limit, counts);
                if let Some(pace) = surge.pace(now, open, self.thresholds.surge, counts)
                    && is_within(
                        limit.saturating_sub(open.into()),
                        pace.per_second,
                        self.thresholds.surge_within,
                    )
                    && !self.awaiting.contains_key(&slot)
                    && !is_explained(&self.alerts, &self.watches, slot, ledger)
                {
                    let ground = Ground {
                        population: Population::All,
                        basis: Basis::Surge,
                        picture: None,
                        since: pace.since,
                        counts: (pace.opened, pace.closed),
                        per_second: Some(pace.per_second),
                    };
                    self.awaiting.insert(slot, ground);
                }
            } else if open < SURGE_LEAST {
                watch.surge = None;
            }
        }
    }

    /// Looks once at what was there when the tracer came.
    fn judge_older(&mut self, now: Time, ledger: &Ledger) {
        for slot in &self.news {
            let Some(watch) = self.watches.get_mut(*slot as usize).and_then(Option::as_mut) else {
                continue;
            };
            if watch.older == 0 || watch.older_judged {
                continue;
            }
            watch.older_judged = true;
            let Some(population) = accumulated(watch, &self.thresholds, ledger, now) else {
                continue;
            };
            if !is_explained(&self.alerts, &self.watches, *slot, ledger) {
                let ground = Ground {
                    population,
                    basis: Basis::Accumulated,
                    picture: None,
                    since: now,
                    counts: (0, 0),
                    per_second: None,
                };
                self.awaiting.insert(*slot, ground);
            }
        }
    }

    /// Judges what looked like a leak.
    fn judge(&mut self, now: Time, ledger: &Ledger, news: &mut Vec<Finding>) {
        let mut candidates = std::mem::take(&mut self.candidates);
        // Groups before roll-ups: the closer look is the better one.
        candidates.sort_by_key(|(slot, candidate)| (rank(&self.watches, *slot), *slot, candidate.scale));
        for (slot, candidate) in candidates.drain(..) {
            let Some(watch) = watch(&self.watches, slot) else {
                continue;
            };
            if let Some(alert) = self.alerts.get_mut(&slot) {
                if alert.population == candidate.population {
                    let ended = alert.look(watch, candidate.scale, candidate.at, &candidate.picture);
                    if let Some(resolution) = ended {
                        let mut alert = alert.clone();
                        self.alerts.remove(&slot);
                        news.push(told(
                            watch,
                            &mut alert,
                            Stage::Resolved(resolution),
                            ledger,
                            &self.thresholds,
                            now,
                        ));
                        self.unfollow(slot);
                        continue;
                    }
                    if candidate.is_growth && is_enough(watch, &candidate, &self.thresholds, ledger, now) {
                        alert.scales |= 1 << candidate.scale;
                    }
                }
                continue;
            }
            if !candidate.is_growth
                || self.awaiting.contains_key(&slot)
                || !is_enough(watch, &candidate, &self.thresholds, ledger, now)
                || is_explained(&self.alerts, &self.watches, slot, ledger)
            {
                continue;
            }
            let period = super::rings::period(candidate.scale);
            let basis = match (candidate.teeth, candidate.population) {
                (Some(times), _) => Basis::Sawtooth { times },
                (None, Population::All) => Basis::Survivors { period },
                (None, Population::Gone) => Basis::PeerGone { period },
            };
            let ground = Ground {
                population: candidate.population,
                basis,
                picture: Some((candidate.scale, candidate.picture)),
                since: candidate.at.begin(watch.phase).earlier(period * describe::WINDOW),
                counts: (0, 0),
                per_second: None,
            };
            self.awaiting.insert(slot, ground);
        }
        self.candidates = candidates;
    }

    /// Tells what waited for one more look, if that agrees.
    fn open(&mut self, now: Time, ledger: &Ledger, news: &mut Vec<Finding>) {
        for (slot, ground) in std::mem::take(&mut self.awaiting) {
            if self.alerts.contains_key(&slot) || is_explained(&self.alerts, &self.watches, slot, ledger) {
                continue;
            }
            let Some(watch) = self.watches.get_mut(slot as usize).and_then(Option::as_mut) else {
                continue;
            };
            if !is_intact(watch, &ground, ledger) {
                continue;
            }
            let mut alert = Alert::new(self.next, ground, watch, now);
            self.next += 1;
            watch.followed = alert.scale.map(|scale| (alert.population, scale));
            news.push(told(
                watch,
                &mut alert,
                Stage::Opened,
                ledger,
                &self.thresholds,
                now,
            ));
            self.alerts.insert(slot, alert);
        }
    }

    /// Follows what was told.
    fn follow(&mut self, now: Time, ledger: &Ledger, news: &mut Vec<Finding>) {
        let mut over = Vec::new();
        for (slot, alert) in &mut self.alerts {
            let Some(watch) = watch(&self.watches, *slot) else {
                over.push(*slot);
                continue;
            };
            if let Some(resolution) = alert.follow(watch) {
                news.push(told(
                    watch,
                    alert,
                    Stage::Resolved(resolution),
                    ledger,
                    &self.thresholds,
                    now,
                ));
                over.push(*slot);
                continue;
            }
            let open = watch.total(alert.population);
            let is_due = open >= alert.told.saturating_mul(2) || now.since(alert.looked_at) >= RELOOK;
            if !is_due {
                continue;
            }
            alert.looked_at = now;
            let (tier, severity, told_before) = (alert.tier, alert.severity, alert.told);
            let mut finding = told(watch, alert, Stage::Updated, ledger, &self.thresholds, now);
            let is_new = [
                (News::Confirmed, alert.tier > tier),
                (News::Critical, alert.severity > severity),
                (News::Doubled, open >= told_before.saturating_mul(2)),
            ];
            let is_new = is_new.into_iter().filter(|(_, is_new)| *is_new);
            let what: Vec<News> = is_new.map(|(what, _)| what).collect();
            if what.is_empty() {
                alert.told = told_before;
            } else {
                if let Kind::Leak(leak) = &mut finding.kind {
                    leak.news = what;
                }
                news.push(finding);
            }
        }
        for slot in over {
            self.alerts.remove(&slot);
            self.unfollow(slot);
        }
    }

    fn unfollow(&mut self, slot: u32) {
        if let Some(watch) = self.watches.get_mut(slot as usize).and_then(Option::as_mut) {
            watch.followed = None;
        }
    }
}

/// How often an alert is looked at for news that no connection brings.
const RELOOK: Duration = Duration::from_secs(30);

impl Detector for SurvivorRule {
    fn observe(&mut self, fact: &Fact) {
        match *fact {
            Fact::Opened { group, at, .. } => {
                let life = Life {
                    opened: Start::Seen(at),
                    peer_gone: None,
                };
                self.change(group, at, |watch| {
                    watch.opened = watch.opened.saturating_add(1);
                    watch.beat.opened(at);
                    watch.enter(life);
                });
            }
            Fact::Found { group, at, life, .. } => self.change(group, at, |watch| {
                watch.older = watch.older.saturating_add(u32::from(life.opened == Start::Older));
                watch.enter(life);
            }),
            Fact::PeerGone { group, at, .. } => {
                self.change(group, at, |watch| watch.lose_peer(Start::Seen(at)));
            }
            Fact::Closed { group, at, life, .. } => self.change(group, at, |watch| watch.close(life)),
            Fact::Retracted { group, life, .. } => {
                let at = self.ticked.unwrap_or_default();
                self.change(group, at, |watch| watch.leave(life));
            }
            Fact::Moved {
                from, to, at, life, ..
            } => {
                self.change(from, at, |watch| watch.leave(life));
                self.change(to, at, |watch| watch.enter(life));
            }
        }
    }

    fn tick(&mut self, now: Time, ledger: &Ledger, findings: &mut Vec<Finding>) {
        let mut news = Vec::new();
        self.open(now, ledger, &mut news);
        self.advance(now, ledger);
        self.judge_older(now, ledger);
        self.look_at_news(now, ledger);
        self.judge(now, ledger, &mut news);
        self.follow(now, ledger, &mut news);
        // New ones last.
        news.sort_by_key(|finding| finding.id);
        findings.append(&mut news);
    }

    fn is_suspicious(&self, _now: Time, _ledger: &Ledger) -> bool {
        !self.awaiting.is_empty()
    }
}

fn watch(watches: &[Option<Watch>], slot: u32) -> Option<&Watch> {
    watches.get(slot as usize)?.as_ref()
}

fn rank(watches: &[Option<Watch>], slot: u32) -> u8 {
    match watch(watches, slot).map(|watch| watch.key) {
        Some(Key::Group(_)) => 0,
        Some(Key::Peer(..)) => 1,
        Some(Key::Process(..)) | None => 2,
    }
}

/// Whether the limit is nearer than `within` at this pace.
fn is_within(left: u64, per_second: f64, within: Duration) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let left = left as f64;
    left <= per_second * within.as_secs_f64()
}

/// Whether a candidate has enough survivors, now that the ledger can be asked whether they are used.
fn is_enough(
    watch: &Watch,
    candidate: &Candidate,
    thresholds: &Thresholds,
    ledger: &Ledger,
    now: Time,
) -> bool {
    let survivors = f64::from(candidate.picture.all());
    if candidate.population == Population::Gone || candidate.teeth.is_some() {
        return is_rollup_of_many(watch, ledger, None, survivors, thresholds);
    }
    let usage = Usage::of(ledger, &watch.key, now, super::rings::period(candidate.scale) * 2);
    let factor = usage.map_or(1.0, |usage| {
        if usage.unused_share() >= thresholds.unused {
            thresholds.unused_factor
        } else if usage.used_share() >= thresholds.used {
            thresholds.used_factor
        } else {
            1.0
        }
    });
    survivors >= candidate.need * factor
        && is_rollup_of_many(watch, ledger, usage.as_ref(), survivors, thresholds)
}

/// Whether a roll-up sees more than its groups do: several of them, and more than a mesh has.
fn is_rollup_of_many(
    watch: &Watch,
    ledger: &Ledger,
    usage: Option<&Usage>,
    survivors: f64,
    thresholds: &Thresholds,
) -> bool {
    if matches!(watch.key, Key::Group(_)) {
        return true;
    }
    let mut groups: Vec<GroupKey> = usage::members(ledger, &watch.key)
        .map(|(_, connection)| connection.group)
        .collect();
    groups.sort_unstable();
    groups.dedup();
    let parts = u32::try_from(groups.len()).unwrap_or(u32::MAX);
    let is_unused = usage.is_some_and(|usage| usage.unused_share() >= thresholds.unused);
    let is_thick = survivors >= f64::from(parts.saturating_mul(MORE_THAN_A_MESH));
    parts >= 2 && (is_thick || is_unused || matches!(watch.key, Key::Peer(..)))
}

/// Whether what is found of a watch is told already, by what covers it or by its parts.
fn is_explained(
    alerts: &BTreeMap<u32, Alert>,
    watches: &[Option<Watch>],
    slot: u32,
    ledger: &Ledger,
) -> bool {
    let Some(own) = watch(watches, slot) else {
        return true;
    };
    let _: &Ledger = ledger;
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
fn is_intact(watch: &Watch, ground: &Ground, ledger: &Ledger) -> bool {
    /// Share of the survivors that must be.
    const INTACT: f64 = 0.9;
    let held = usage::members(ledger, &watch.key).filter(|(id, connection)| {
        !ledger.misses(*id)
            && match (ground.population, connection.life.opened) {
                (Population::Gone, _) => connection.life.peer_gone.is_some(),
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

/// Whether what was there when the tracer came is a finding, and of which connections.
fn accumulated(watch: &Watch, thresholds: &Thresholds, ledger: &Ledger, now: Time) -> Option<Population> {
    /// Useless connections that a process may be about to close.
    const USELESS: u32 = 16;
    /// Silence after which nobody is about to close them.
    const FORGOTTEN: Duration = Duration::from_mins(2);
    /// Fewer than this are few, whatever the limit.
    const FEW: u32 = 16;
    /// Nearly all.
    const NEARLY: f64 = 0.9;
    if matches!(watch.key, Key::Process(..) | Key::Peer(..)) {
        return None;
    }
    let (mut all, mut gone, mut told, mut silent, mut empty, mut busy) = (0_u32, 0, 0, 0, 0, 0);
    for (_, connection) in usage::members(ledger, &watch.key) {
        all += 1;
        let idle = usage::silent_for(connection, now);
        told += u32::from(idle.is_some());
        let idle = idle.unwrap_or_default();
        silent += u32::from(idle >= thresholds.silent_for);
        busy += u32::from(connection.traffic.is_some() && idle < Duration::from_secs(30));
        gone += u32::from(connection.life.peer_gone.is_some() && idle >= FORGOTTEN);
        empty += u32::from(
            connection
                .traffic
                .is_some_and(|traffic| traffic.sent == 0 && traffic.received == 0),
        );
    }
    let nearly_all = |count: u32| f64::from(count) >= NEARLY * f64::from(all);
    if gone >= USELESS {
        return Some(Population::Gone);
    }
    let limit = watch
        .key
        .process()
        .and_then(|process| ledger.budget(process, now))
        .and_then(|standing| standing.limit);
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let share = limit.map_or(0.0, |limit| f64::from(all) / limit as f64);
    let is_busy = told > 0 && f64::from(busy) >= 0.5 * f64::from(told);
    let is_large = share >= thresholds.accumulated && all >= FEW && !is_busy;
    let is_silent = all >= thresholds.accumulated_silent && (nearly_all(silent) || nearly_all(empty));
    (is_large || is_silent).then_some(Population::All)
}

/// The finding as it is told now; the alert remembers what it told.
fn told(
    watch: &Watch,
    alert: &mut Alert,
    stage: Stage,
    ledger: &Ledger,
    thresholds: &Thresholds,
    now: Time,
) -> Finding {
    let leak = describe::leak(watch, alert, ledger, thresholds, now);
    alert.tier = alert.tier.max(leak.tier);
    alert.severity = alert.severity.max(leak.severity);
    alert.told = leak.open;
    let process = describe::process(&watch.key, &leak);
    let netns = usage::members(ledger, &watch.key)
        .min_by_key(|(id, _)| *id)
        .map(|(_, connection)| connection.netns);
    Finding {
        id: FindingId {
            rule: Rule::Growth,
            number: alert.number,
        },
        stage,
        process,
        comm: ledger.name(process),
        netns,
        kind: Kind::Leak(Box::new(leak)),
    }
}
