//! From what looks like a leak to what is told, and to its end.

use std::time::Duration;

use super::SurvivorRule;
use crate::{
    leak::{
        alert::{Alert, Ground},
        describe,
        evidence::{Basis, News},
        finding::{Finding, FindingId, Kind, Resolution, Rule, Stage},
        judge::{is_enough, is_explained, is_intact, parts, usage_of, watch, window},
        lineage::Program,
        renewal,
        thresholds::Thresholds,
        usage::{self, Use},
        watch::{Candidate, Key, Level, Population, Watch},
        watches::Watches,
    },
    model::{ledger::Ledger, time::Time},
};

/// How often an alert is looked at for news that no connection brings.
const RELOOK: Duration = Duration::from_secs(30);

impl SurvivorRule {
    /// Judges what looked like a leak.
    pub(super) fn judge(&mut self, now: Time, ledger: &Ledger, news: &mut Vec<Finding>) {
        let mut candidates = std::mem::take(&mut self.candidates);
        // Groups before roll-ups: the closer look is the better one.
        candidates.sort_by_key(|(slot, candidate)| (rank(&self.watches, *slot), *slot, candidate.scale));
        for (slot, candidate) in candidates.drain(..) {
            if candidate.is_tooth {
                self.look_at_tooth(slot, &candidate, now, ledger);
                continue;
            }
            let Some(watch) = watch(&self.watches, slot) else {
                continue;
            };
            if candidate.level.is_some() && self.alerts.contains_key(&slot) {
                continue;
            }
            if let Some(alert) = self.alerts.get_mut(&slot) {
                if alert.population == candidate.population {
                    let ended = alert.look(watch, candidate.scale, candidate.at, &candidate.picture);
                    if let Some(resolution) = ended {
                        news.push(told(
                            watch,
                            alert,
                            Stage::Resolved(resolution),
                            ledger,
                            &self.thresholds,
                            now,
                        ));
                        let number = alert.number;
                        self.close(slot, number, now, ledger);
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
                || is_explained(&self.alerts, &self.watches, slot)
            {
                continue;
            }
            if let Some((level, growth)) = candidate.level {
                self.awaiting
                    .insert(slot, of_level(level, candidate.scale, growth, now));
                continue;
            }
            let (since, period) = window(watch, &candidate);
            let basis = match (candidate.teeth, candidate.lives, candidate.population) {
                (Some(times), _, _) => Basis::Sawtooth { times },
                (None, Some(_), _) => Basis::Restarts,
                (None, None, Population::All) => Basis::Survivors { period },
                (None, None, Population::Gone) => Basis::PeerGone { period },
            };
            let ground = Ground {
                population: candidate.population,
                basis,
                picture: Some((candidate.scale, candidate.picture)),
                since,
                counts: (0, 0),
                per_second: None,
            };
            self.awaiting.insert(slot, ground);
        }
        self.candidates = candidates;
    }

    /// Notes whether what may become the tooth of a saw is in use.
    fn look_at_tooth(&mut self, slot: u32, candidate: &Candidate, now: Time, ledger: &Ledger) {
        if let Some(watch) = self.watches.get_mut(slot) {
            let usage = usage_of(watch, candidate, &self.thresholds, ledger, now);
            if usage.is_some_and(|usage| usage.verdict(&self.thresholds) == Use::Working) {
                watch.worked = Some(now);
            }
        }
    }

    /// Tells what waited for one more look, if that agrees.
    pub(super) fn open(&mut self, now: Time, ledger: &Ledger, news: &mut Vec<Finding>) {
        let mut awaiting: Vec<_> = std::mem::take(&mut self.awaiting).into_iter().collect();
        awaiting.sort_by_key(|(slot, _)| (rank(&self.watches, *slot), *slot));
        for (slot, ground) in awaiting {
            if self.alerts.contains_key(&slot) || is_explained(&self.alerts, &self.watches, slot) {
                continue;
            }
            let Some(watch) = self.watches.get_mut(slot) else {
                continue;
            };
            let is_whole = matches!(watch.key, Key::Group(_)) || parts(watch, ground.population, ledger) >= 2;
            if !is_whole || !is_intact(watch, &ground, ledger) {
                continue;
            }
            let past = self.lineage.past(&Program::of(&watch.key, ledger), now);
            let number = past.and_then(|past| past.number).unwrap_or(self.next);
            self.next = self.next.max(number + 1);
            let lives = 1 + past.map_or(0, |past| past.lives);
            let mut alert = Alert::new((number, lives), ground, watch, now);
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
    pub(super) fn follow(&mut self, now: Time, ledger: &Ledger, news: &mut Vec<Finding>) {
        let mut over = Vec::new();
        for (slot, alert) in &mut self.alerts {
            let Some(watch) = watch(&self.watches, *slot) else {
                over.push((*slot, alert.number));
                continue;
            };
            if let Some(resolution) = alert.follow(watch) {
                let has_exited = watch
                    .key
                    .process()
                    .is_some_and(|process| ledger.has_exited(process));
                let resolution = if has_exited {
                    Resolution::ProcessExited
                } else {
                    resolution
                };
                news.push(told(
                    watch,
                    alert,
                    Stage::Resolved(resolution),
                    ledger,
                    &self.thresholds,
                    now,
                ));
                over.push((*slot, alert.number));
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
        for (slot, number) in over {
            self.close(slot, number, now, ledger);
        }
    }

    /// Takes an alert that is over out of the books.
    pub(super) fn close(&mut self, slot: u32, number: u64, now: Time, ledger: &Ledger) {
        self.alerts.remove(&slot);
        if let Some(watch) = self.watches.get_mut(slot) {
            watch.followed = None;
            watch.forget_crest();
            self.lineage
                .resolved(Program::of(&watch.key, ledger), number, now);
        }
    }
}

fn of_level(level: Level, scale: usize, growth: renewal::Growth, now: Time) -> Ground {
    let window = renewal::window(scale);
    Ground {
        population: Population::All,
        basis: match level {
            Level::All => Basis::Renewed,
            Level::Dormant => Basis::Dormant,
        },
        picture: None,
        since: now.earlier(window),
        counts: growth.counts,
        per_second: Some(f64::from(growth.by) / window.as_secs_f64()),
    }
}

fn rank(watches: &Watches, slot: u32) -> u8 {
    match watch(watches, slot).map(|watch| watch.key) {
        Some(Key::Group(_)) => 0,
        Some(Key::Peer(..)) => 1,
        Some(Key::Process(..)) | None => 2,
    }
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
    let leak = describe::leak(&alert.sight(watch), ledger, thresholds, now);
    alert.tier = alert.tier.max(leak.tier);
    alert.severity = alert.severity.max(leak.severity);
    alert.told = leak.open;
    let process = describe::process(&watch.key, &leak);
    let netns = usage::members(ledger, &watch.key, alert.population)
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
