//! Attempts to connect that nobody answers, and that pile up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    evidence::{Basis, Class, Evidence, Leak, News, Sample, Scope, Severity, Tier},
    finding::{Finding, FindingId, Kind, Resolution, Rule, Stage},
    thresholds::Thresholds,
};
use crate::model::{
    connection::{Connection, ConnectionId, GroupKey, Phase, Phases},
    ledger::Ledger,
    time::Time,
    view::{Age, Ages},
};

/// An attempt that is older has repeated its SYN: the first ones are sent after 1 s and 3 s (`TCP_TIMEOUT_INIT`,
/// `include/net/tcp.h`).
const REPEATED: Duration = Duration::from_secs(3);

/// Groups that were told.
#[derive(Default)]
pub struct Unanswered {
    told: BTreeMap<GroupKey, Told>,
    /// Groups that are told if the next comparison agrees, and since when: the end of an attempt may have been lost.
    awaiting: BTreeMap<GroupKey, Time>,
}

/// A finding that is not resolved.
struct Told {
    number: u64,
    peak: u32,
    last: u32,
    since: Time,
}

type Attempts = Vec<(ConnectionId, Connection)>;

impl Unanswered {
    /// Whether anything waits for a comparison.
    pub fn is_awaiting(&self) -> bool {
        !self.awaiting.is_empty()
    }

    /// Looks at all attempts under way.
    pub fn look(
        &mut self,
        now: Time,
        ledger: &Ledger,
        thresholds: &Thresholds,
        next: &mut u64,
        news: &mut Vec<Finding>,
    ) {
        let groups = attempts(now, ledger, thresholds, &self.told);
        let over: BTreeSet<GroupKey> = self
            .told
            .iter()
            .filter(|(group, told)| {
                let open = groups.get(group).map_or(0, count);
                open <= told.peak / 2
            })
            .map(|(group, _)| *group)
            .collect();
        for group in over {
            if let Some(told) = self.told.remove(&group) {
                let attempts = groups.get(&group).cloned().unwrap_or_default();
                let resolution = if ledger.has_exited(group.process) {
                    Resolution::ProcessExited
                } else {
                    Resolution::Drained
                };
                news.push(finding(
                    group,
                    &told,
                    Stage::Resolved(resolution),
                    &attempts,
                    ledger,
                    now,
                ));
            }
        }
        let awaited = std::mem::take(&mut self.awaiting);
        for (group, attempts) in &groups {
            let open = count(attempts);
            let oldest = attempts
                .iter()
                .map(|(_, attempt)| now.since(attempt.opened))
                .max();
            if let Some(told) = self.told.get_mut(group) {
                told.peak = told.peak.max(open);
                if open >= told.last.saturating_mul(2) {
                    told.last = open;
                    news.push(finding(*group, told, Stage::Updated, attempts, ledger, now));
                }
            } else if open >= thresholds.unanswered && oldest >= Some(thresholds.unanswered_for) {
                let since = awaited.get(group).copied().unwrap_or(now);
                if ledger.compared().is_some_and(|compared| compared <= since) {
                    self.awaiting.insert(*group, since);
                    continue;
                }
                let told = Told {
                    number: *next,
                    peak: open,
                    last: open,
                    since: attempts
                        .iter()
                        .map(|(_, attempt)| attempt.opened)
                        .min()
                        .unwrap_or(now),
                };
                *next += 1;
                news.push(finding(*group, &told, Stage::Opened, attempts, ledger, now));
                self.told.insert(*group, told);
            }
        }
    }
}

/// Attempts that have repeated their SYN, by group, where there are enough to be looked at.
fn attempts(
    now: Time,
    ledger: &Ledger,
    thresholds: &Thresholds,
    told: &BTreeMap<GroupKey, Told>,
) -> BTreeMap<GroupKey, Attempts> {
    // Nearly always there are few in all.
    let many = ledger.total().connecting >= thresholds.unanswered
        && ledger
            .processes()
            .iter()
            .any(|(_, process)| process.tally.connecting >= thresholds.unanswered);
    let mut groups: BTreeMap<GroupKey, Attempts> = BTreeMap::new();
    if many || !told.is_empty() {
        for (id, connection) in ledger.connections() {
            let has_repeated =
                connection.phase == Phase::Connecting && now.since(connection.opened) >= REPEATED;
            if has_repeated && !ledger.misses(id) {
                groups.entry(connection.group).or_default().push((id, connection));
            }
        }
    }
    groups
}

fn count(attempts: &Attempts) -> u32 {
    u32::try_from(attempts.len()).unwrap_or(u32::MAX)
}

fn finding(
    group: GroupKey,
    told: &Told,
    stage: Stage,
    attempts: &Attempts,
    ledger: &Ledger,
    now: Time,
) -> Finding {
    let age = |attempt: &Connection| Age {
        span: now.since(attempt.opened),
        at_least: attempt.older,
    };
    let mut oldest = attempts.clone();
    oldest.sort_unstable_by_key(|(id, attempt)| (attempt.opened, *id));
    let samples = oldest
        .iter()
        .take(Leak::SAMPLES)
        .map(|(id, attempt)| Sample {
            id: *id,
            process: group.process,
            local: attempt.local,
            peer: attempt.peer,
            age: age(attempt),
            phase: attempt.phase,
            silent_for: None,
        })
        .collect();
    let evidence = Evidence {
        since: told.since,
        until: now,
        counted_since: told.since,
        opened: count(attempts).into(),
        closed: 0,
        survivors: Vec::new(),
        period: Duration::ZERO,
        matured: 0,
        left: 0,
        ages: Ages::of(attempts.iter().map(|(_, attempt)| age(attempt)).collect()),
        silence: None,
        per_hour: None,
        cadence: None,
        closed_ever: ledger.groups().get(&group).map_or(0, |group| group.tally.closed),
        known_for: now.since(told.since),
        explanations: Vec::new(),
    };
    Finding {
        id: FindingId {
            rule: Rule::Growth,
            number: told.number,
        },
        stage,
        process: group.process,
        comm: ledger.name(group.process),
        netns: oldest.first().map(|(_, attempt)| attempt.netns),
        kind: Kind::Leak(Box::new(Leak {
            scope: Scope::Group(group.peer_key()),
            tier: Tier::Confirmed,
            severity: Severity::Warning,
            class: Class::BlackHole,
            basis: Basis::Unanswered,
            open: count(attempts),
            peak: told.peak,
            phases: Phases::default(),
            evidence,
            forecast: None,
            samples,
            lives: 1,
            began: told.since,
            // The only news there is.
            news: if stage == Stage::Updated {
                vec![News::Doubled]
            } else {
                Vec::new()
            },
        })),
    }
}
