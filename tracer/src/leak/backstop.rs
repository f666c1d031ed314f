//! The backstop: a process that has used up most of its descriptors, whatever the rings say.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    evidence::{Exhaustion, Leak},
    finding::{Finding, FindingId, Kind, Resolution, Rule, Stage},
    thresholds::Thresholds,
};
use crate::model::{
    budget::Standing,
    connection::{Direction, PeerKey, ProcessId},
    ledger::Ledger,
    time::Time,
};

/// Share of the descriptors that must be TCP sockets: files are not our subject.
const SOCKETS: f64 = 0.5;
/// Of the share that makes a finding, so much less resolves it.
const RELIEF: f64 = 0.875;

/// Processes that were told.
#[derive(Default)]
pub struct Backstop {
    told: BTreeMap<ProcessId, Told>,
    next: u64,
}

/// A finding that is not resolved.
struct Told {
    number: u64,
    exhausted: bool,
    last: Exhaustion,
}

impl Backstop {
    /// Adds the processes that were told.
    pub fn accused(&self, processes: &mut Vec<ProcessId>) {
        processes.extend(self.told.keys());
    }

    /// Looks at all processes; those that are `accused` already are told there.
    pub fn look(
        &mut self,
        now: Time,
        ledger: &Ledger,
        thresholds: &Thresholds,
        accused: &BTreeSet<ProcessId>,
        news: &mut Vec<Finding>,
    ) {
        let full: BTreeMap<ProcessId, Standing> = ledger
            .budgeted()
            .filter_map(|process| {
                let standing = ledger.budget(process, now)?;
                let share = if self.told.contains_key(&process) {
                    thresholds.limit * RELIEF
                } else {
                    thresholds.limit
                };
                is_nearly_full(&standing, share).then_some((process, standing))
            })
            .collect();
        let over: Vec<ProcessId> = self
            .told
            .keys()
            .filter(|process| !full.contains_key(process))
            .copied()
            .collect();
        for process in over {
            if let Some(mut told) = self.told.remove(&process) {
                let resolution = match ledger.budget(process, now) {
                    Some(standing) if !ledger.has_exited(process) => {
                        told.last.used = standing.used;
                        told.last.sockets = standing.sockets;
                        Resolution::Relieved
                    }
                    _ => Resolution::ProcessExited,
                };
                news.push(finding(process, &told, Stage::Resolved(resolution), ledger));
            }
        }
        for (process, standing) in full {
            let Some(limit) = standing.limit else { continue };
            let exhaustion = Exhaustion {
                used: standing.used,
                sockets: standing.sockets,
                peak: standing.used,
                since: now,
                limit,
                lasts: standing.lasts,
                groups: Vec::new(),
            };
            if let Some(told) = self.told.get_mut(&process) {
                let is_news = standing.is_exhausted() && !told.exhausted;
                told.exhausted |= standing.is_exhausted();
                told.last = Exhaustion {
                    peak: told.last.peak.max(standing.used),
                    since: told.last.since,
                    ..exhaustion
                };
                if is_news {
                    told.last.groups = fullest(process, ledger);
                    news.push(finding(process, told, Stage::Updated, ledger));
                }
            } else if !accused.contains(&process) {
                self.next += 1;
                let told = Told {
                    number: self.next,
                    exhausted: standing.is_exhausted(),
                    last: Exhaustion {
                        groups: fullest(process, ledger),
                        ..exhaustion
                    },
                };
                news.push(finding(process, &told, Stage::Opened, ledger));
                self.told.insert(process, told);
            }
        }
    }
}

fn is_nearly_full(standing: &Standing, share: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let is_full = standing
        .limit
        .is_some_and(|limit| f64::from(standing.used) >= share * limit as f64);
    is_full && f64::from(standing.sockets) >= SOCKETS * f64::from(standing.used)
}

fn fullest(process: ProcessId, ledger: &Ledger) -> Vec<(PeerKey, u32)> {
    let mut groups: BTreeMap<PeerKey, u32> = BTreeMap::new();
    let both = [Direction::Outbound, Direction::Inbound];
    let connections = both
        .into_iter()
        .flat_map(|direction| ledger.of_process(process, direction));
    for (_, connection) in connections {
        if connection.phase.is_held() {
            *groups.entry(connection.group.peer_key()).or_default() += 1;
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(key, count)| (Reverse(*count), *key));
    groups.truncate(Leak::MEMBERS);
    groups
}

fn finding(process: ProcessId, told: &Told, stage: Stage, ledger: &Ledger) -> Finding {
    Finding {
        id: FindingId {
            rule: Rule::Limit,
            number: told.number,
        },
        stage,
        process,
        comm: ledger.name(process),
        netns: None,
        kind: Kind::Exhaustion(told.last.clone()),
    }
}
