//! The rule that finds leaks: survivor rings for each group of connections, and for each process and each peer.
//!
//! Events go into the rings as they come; once a second the rule looks at what has the shape of a leak, asks the ledger
//! whether it is used, and tells it after one more look. `docs/detection.md` has the algorithm.

mod verdict;

use std::{collections::BTreeMap, time::Duration};

use super::{
    Detector,
    accumulated::accumulated,
    alert::{Alert, Ground},
    backstop::Backstop,
    dormant::{self, Dormant},
    evidence::Basis,
    finding::Finding,
    judge::{is_explained, is_surge, watch},
    lineage::{Lineage, Program},
    rings::{Picture, Step},
    thresholds::Thresholds,
    unanswered::Unanswered,
    watch::{Candidate, Key, Level, Population, Watch},
    watches::{PHASES, Watches},
};
use crate::model::{
    connection::{GroupKey, ProcessId},
    fact::{Fact, Life, Start},
    ledger::Ledger,
    time::Time,
};

/// How long a watch is kept in which nothing is open and nothing happens.
const FORGET_AFTER: Duration = Duration::from_hours(6);
/// Fewer connections than this are no surge.
const SURGE_LEAST: u32 = 4;

/// The rule and its memory.
pub struct SurvivorRule {
    thresholds: Thresholds,
    watches: Watches,
    /// Watches in which something happened since the last tick.
    news: Vec<u32>,
    /// What looked like a leak since the last tick.
    candidates: Vec<(u32, Candidate)>,
    scratch: Vec<Candidate>,
    /// Watches whose turn it is.
    due: Vec<u32>,
    /// What is told if the next look agrees.
    awaiting: BTreeMap<u32, Ground>,
    /// What was told and is not over.
    alerts: BTreeMap<u32, Alert>,
    lineage: Lineage,
    backstop: Backstop,
    unanswered: Unanswered,
    next: u64,
    ticked: Option<Time>,
    looked: Option<Time>,
}

impl SurvivorRule {
    /// With these thresholds, for at most `limit` groups, processes and peers together.
    pub fn new(thresholds: Thresholds, limit: usize) -> Self {
        Self {
            thresholds,
            watches: Watches::new(limit),
            news: Vec::new(),
            candidates: Vec::new(),
            scratch: Vec::new(),
            due: Vec::new(),
            awaiting: BTreeMap::new(),
            alerts: BTreeMap::new(),
            lineage: Lineage::default(),
            backstop: Backstop::default(),
            unanswered: Unanswered::default(),
            next: 1,
            ticked: None,
            looked: None,
        }
    }

    /// Changes the watches of a group, each brought up to the moment before.
    fn change(&mut self, group: GroupKey, at: Time, change: impl Fn(&mut Watch)) {
        for slot in self.watches.of(group, at).into_iter().flatten() {
            let Some(watch) = self.watches.get_mut(slot) else {
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
        let mut due = std::mem::take(&mut self.due);
        for back in 0..passed.min(u64::from(PHASES)) {
            let phase = (second(now).saturating_sub(back)) % u64::from(PHASES);
            due.extend(self.watches.of_phase(u8::try_from(phase).unwrap_or(0)));
            for slot in due.drain(..) {
                self.advance_one(slot, now, ledger);
            }
        }
        self.due = due;
        self.ticked = Some(now);
    }

    fn advance_one(&mut self, slot: u32, now: Time, ledger: &Ledger) {
        let Some(watch) = self.watches.get_mut(slot) else {
            return;
        };
        if watch.total(Population::All) == 0 && watch.total(Population::Gone) == 0 {
            let is_stale = now.since(watch.touched) >= FORGET_AFTER && !self.alerts.contains_key(&slot);
            // A roll-up lives as long as its groups do: these hold its slot.
            if is_stale
                && (matches!(watch.key, Key::Group(_)) || now.since(watch.touched) >= FORGET_AFTER * 2)
            {
                self.watches.forget(slot);
            }
            return;
        }
        let standing = watch
            .key
            .process()
            .and_then(|process| ledger.budget(process, now));
        watch.limit = standing.and_then(|standing| standing.limit);
        watch.left = standing.and_then(|standing| Some(standing.limit?.saturating_sub(standing.used.into())));
        watch.advance(now, &self.thresholds, &mut self.scratch);
        if ledger.tells_traffic() {
            look_for_dormant(watch, &self.thresholds, ledger, now, &mut self.scratch);
        }
        self.candidates
            .extend(self.scratch.drain(..).map(|candidate| (slot, candidate)));
    }

    /// Looks at what happened since the last tick, beside what the rings show.
    fn look_at_news(&mut self, now: Time, ledger: &Ledger) {
        for slot in std::mem::take(&mut self.news) {
            let Some(watch) = self.watches.get_mut(slot) else {
                continue;
            };
            watch.has_news = false;
            let is_told = self.alerts.contains_key(&slot);
            remember_program(&mut self.lineage, watch, is_told, ledger, now);
            let open = watch.all.total;
            if open < SURGE_LEAST {
                // Most have so few. What their limit is, is asked once a period.
                watch.surge = None;
                continue;
            }
            let standing = watch
                .key
                .process()
                .and_then(|process| ledger.budget(process, now));
            let Some((standing, limit)) = standing.and_then(|standing| Some((standing, standing.limit?)))
            else {
                continue;
            };
            watch.limit = Some(limit);
            let left = limit.saturating_sub(standing.used.into());
            let room = left.saturating_add(open.into());
            watch.room = Some(room);
            if !self.alerts.contains_key(&slot) {
                let counts = (watch.opened, watch.closed);
                let surge = watch.surge.get_or_insert_default();
                surge.follow(now, open, room, counts);
                if let Some(pace) = surge.pace(now, open, self.thresholds.surge, counts)
                    && open > watch.crest
                    && !self.awaiting.contains_key(&slot)
                    && is_surge(watch, &pace, left, &self.thresholds, ledger, now)
                    && !is_explained(&self.alerts, &self.watches, slot)
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
            }
        }
    }

    /// Looks once at what was there when the tracer came.
    fn judge_older(&mut self, now: Time, ledger: &Ledger) {
        for slot in &self.news {
            let Some(watch) = self.watches.get_mut(*slot) else {
                continue;
            };
            if watch.older == 0 || watch.older_judged {
                continue;
            }
            watch.older_judged = true;
            let Some(population) = accumulated(watch, &self.thresholds, ledger, now) else {
                continue;
            };
            if !is_explained(&self.alerts, &self.watches, *slot) {
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

    /// Looks for what rings do not show.
    fn look_beyond(&mut self, now: Time, ledger: &Ledger, news: &mut Vec<Finding>) {
        let accused = self
            .alerts
            .keys()
            .filter_map(|slot| watch(&self.watches, *slot)?.key.process())
            .collect();
        self.backstop.look(now, ledger, &self.thresholds, &accused, news);
        self.unanswered
            .look(now, ledger, &self.thresholds, &mut self.next, news);
    }
}

/// How often processes are looked at for what rings do not show.
const LOOK_EVERY: Duration = Duration::from_secs(5);

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
                    watch.beat.opened(1, at);
                    watch.enter(life, at);
                });
            }
            Fact::Found { group, at, life, .. } => self.change(group, at, |watch| {
                watch.older = watch.older.saturating_add(u32::from(life.opened == Start::Older));
                watch.enter(life, at);
            }),
            Fact::PeerGone { group, at, .. } => {
                self.change(group, at, |watch| watch.lose_peer(Start::Seen(at)));
            }
            Fact::Failed { group, at, .. } => {
                self.change(group, at, |watch| watch.lose_peer(Start::Seen(at)));
            }
            Fact::FailureClosed {
                group, at, failed, ..
            } => self.change(group, at, |watch| watch.close_failed(failed)),
            Fact::Closed { group, at, life, .. } => self.change(group, at, |watch| watch.close(life)),
            Fact::Short {
                group,
                count,
                gone,
                first,
                last,
            } => self.change(group, last, |watch| watch.pass(count, gone, first)),
            Fact::Retracted { group, life, .. } => {
                let at = self.ticked.unwrap_or_default();
                self.change(group, at, |watch| watch.leave(life));
            }
            Fact::Moved {
                from, to, at, life, ..
            } => {
                self.change(from, at, |watch| watch.leave(life));
                self.change(to, at, |watch| watch.enter(life, at));
            }
            _ => {}
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
        if self.looked.is_none_or(|before| now.since(before) >= LOOK_EVERY) {
            self.looked = Some(now);
            self.look_beyond(now, ledger, &mut news);
        }
        // New ones last.
        news.sort_by_key(|finding| finding.id);
        findings.append(&mut news);
    }

    fn accused(&self, processes: &mut Vec<ProcessId>) {
        let accused = self
            .alerts
            .keys()
            .filter_map(|slot| watch(&self.watches, *slot)?.key.process());
        processes.extend(accused);
        self.backstop.accused(processes);
    }

    fn is_suspicious(&self, _now: Time, _ledger: &Ledger) -> bool {
        !self.awaiting.is_empty() || self.unanswered.is_awaiting()
    }
}

/// Looks, now and then, how many connections nobody uses any more.
fn look_for_dormant(
    watch: &mut Watch,
    thresholds: &Thresholds,
    ledger: &Ledger,
    now: Time,
    candidates: &mut Vec<Candidate>,
) {
    let step = Step::of(now, watch.phase);
    if !dormant::is_due(watch.dormant_looked, step) || matches!(watch.key, Key::Peer(..)) {
        return;
    }
    watch.dormant_looked = step;
    let count = dormant::count(ledger, &watch.key, now, thresholds.silent_for);
    let (direction, left) = (watch.key.direction(), watch.left);
    Dormant::look(
        &mut watch.dormant,
        step,
        count,
        (watch.opened, watch.closed),
        |scale, growth| {
            candidates.push(Candidate {
                need: thresholds.need(scale, direction, left),
                level: Some((Level::Dormant, growth)),
                is_growth: true,
                ..Candidate::shown(Population::All, scale, step, &Picture::default())
            });
        },
    );
}

/// Notes that a program ended while what it held grew, and what is remembered of a new one.
fn remember_program(lineage: &mut Lineage, watch: &mut Watch, is_told: bool, ledger: &Ledger, now: Time) {
    /// Connections from which on a crowd is one that may come back.
    const CROWD: u32 = 16;
    /// All that a process has is known by its name alone, which others have, too: only one that begins soon after is the
    /// same program.
    const SOON: Duration = Duration::from_hours(1);
    let Some(process) = watch.key.process() else {
        return;
    };
    let is_group = matches!(watch.key, Key::Group(_));
    if watch.inherited.is_none() {
        let past = lineage
            .past(&Program::of(&watch.key, ledger), now)
            .filter(|past| is_group || now.since(past.at) < SOON);
        let lives = past.filter(|_| is_group).map_or(0, |past| past.lives);
        watch.inherited = Some(lives);
        watch.crest = watch.crest.max(past.map_or(0, |past| past.crest));
    }
    let has_nothing = || {
        let process = ledger.processes().get(&process);
        process.is_none_or(|process| process.tally.open == 0)
    };
    if watch.all.total == 0 && has_nothing() {
        let program = Program::of(&watch.key, ledger);
        if is_group && watch.take_growth() {
            lineage.ended(program, now);
        }
        // Nearly all programs have fewer, and there is no need to remember them.
        if watch.crest >= CROWD && !is_told {
            lineage.peaked(program, watch.crest, now);
        }
    }
}
