//! The strict rule, on demand: a group in which so many connections opened in a row and none closed.
//!
//! It cannot tell a pool that is warming up from a leak, and it misses leaks beside connections that do close. Where
//! nothing may be left open, as in a test, it is exact, and fast.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Detector,
    describe::{self, Sight},
    evidence::{Basis, Interval, News, Tier},
    finding::{Finding, FindingId, Kind, Resolution, Rule, Stage},
    thresholds::{Sensitivity, Thresholds},
    watch::{Key, Population},
};
use crate::model::{
    connection::{GroupKey, ProcessId},
    fact::{Fact, Start},
    ledger::Ledger,
    time::Time,
};

/// Parameters of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowParameters {
    /// Connections that must have opened in a row, none closing.
    pub min_opened: u64,
    /// Time that the row must span: shorter, and it is one burst.
    pub min_span: Duration,
    /// The longest pause between two openings of a row, and after the last: longer, and the growth has stopped.
    pub window: Duration,
}

impl Default for RowParameters {
    fn default() -> Self {
        Self {
            min_opened: 10,
            min_span: Duration::from_secs(10),
            window: Duration::from_mins(10),
        }
    }
}

/// A row of openings without a close between them.
#[derive(Clone, Copy, Debug)]
struct Row {
    opened: u64,
    since: Time,
    last: Time,
}

#[derive(Default)]
struct Watch {
    row: Option<Row>,
    closed: u64,
    alert: Option<Alert>,
}

/// What was counted since a row began.
#[derive(Clone, Copy, Debug)]
struct Counted {
    opened: u64,
    closed: u64,
    since: Time,
    last: Time,
    /// Closes before that.
    closed_before: u64,
}

/// A finding that is not resolved yet.
#[derive(Clone, Copy)]
struct Alert {
    number: u64,
    evidence: Counted,
    peak: u32,
    /// Open when last told.
    told: u32,
}

/// The rule and its memory: one small record per group that opened something.
pub struct RowRule {
    parameters: RowParameters,
    /// In an order, so that the same events give the same findings.
    watched: BTreeMap<GroupKey, Watch>,
    next: u64,
}

impl RowRule {
    /// With these parameters.
    pub fn new(parameters: RowParameters) -> Self {
        Self {
            parameters,
            watched: BTreeMap::new(),
            next: 1,
        }
    }
}

impl Detector for RowRule {
    fn observe(&mut self, fact: &Fact) {
        match *fact {
            Fact::Opened { group, at, .. } => {
                let watch = self.watched.entry(group).or_default();
                let fresh = Row {
                    opened: 0,
                    since: at,
                    last: at,
                };
                let row = watch.row.get_or_insert(fresh);
                if at.since(row.last) > self.parameters.window {
                    *row = fresh;
                }
                row.opened += 1;
                // Events of different CPUs can be a little out of order.
                row.since = row.since.min(at);
                row.last = row.last.max(at);
                if let Some(Alert { evidence, .. }) = &mut watch.alert {
                    evidence.opened += 1;
                    evidence.last = evidence.last.max(at);
                }
            }
            // The one did not close it, but has it no more; the other has it since it opened.
            Fact::Moved {
                id, from, to, life, ..
            } => {
                if let Some(watch) = self.watched.get_mut(&from) {
                    watch.row = None;
                }
                if let Start::Seen(at) = life.opened {
                    self.observe(&Fact::Opened { id, group: to, at });
                }
            }
            Fact::Short { group, count, .. } => {
                let watch = self.watched.entry(group).or_default();
                watch.closed += u64::from(count);
                watch.row = None;
                if let Some(Alert { evidence, .. }) = &mut watch.alert {
                    evidence.opened += u64::from(count);
                    evidence.closed += u64::from(count);
                }
            }
            Fact::Closed { group, .. } => {
                let watch = self.watched.entry(group).or_default();
                watch.closed += 1;
                watch.row = None;
                if let Some(Alert { evidence, .. }) = &mut watch.alert {
                    evidence.closed += 1;
                }
            }
            // When it opened is not known of what was found: it is no growth that anybody saw.
            _ => {}
        }
    }

    fn tick(&mut self, now: Time, ledger: &Ledger, findings: &mut Vec<Finding>) {
        let Self {
            parameters,
            watched,
            next,
        } = self;
        let mut news = Vec::new();
        watched.retain(|group, watch| {
            // The ledger forgets a group when nothing has been open in it for long: nothing to accuse.
            let Some(entry) = ledger.groups().get(group) else {
                return false;
            };
            let open = entry.tally.open;
            let stage = match &mut watch.alert {
                Some(alert) => alert.follow(open, ledger.has_exited(group.process)),
                None => watch.accuse(*parameters, group, ledger, now).map(|row| {
                    watch.alert = Some(Alert {
                        number: *next,
                        evidence: row.evidence(watch.closed),
                        peak: open,
                        told: open,
                    });
                    *next += 1;
                    Stage::Opened
                }),
            };
            if let (Some(stage), Some(alert)) = (stage, watch.alert) {
                news.push(alert.told_as(stage, *group, open, ledger, now));
            }
            if matches!(stage, Some(Stage::Resolved(_))) {
                watch.alert = None;
            }
            true
        });
        // New ones last.
        news.sort_unstable_by_key(|finding| finding.id);
        findings.append(&mut news);
    }

    fn accused(&self, processes: &mut Vec<ProcessId>) {
        let accused = self.watched.iter().filter(|(_, watch)| watch.alert.is_some());
        processes.extend(accused.map(|(group, _)| group.process));
    }

    fn is_suspicious(&self, now: Time, ledger: &Ledger) -> bool {
        self.watched.iter().any(|(group, watch)| {
            watch.alert.is_none()
                && watch.row.is_some_and(|row| row.is_growth(self.parameters, now))
                && ledger.groups().get(group).is_some()
        })
    }
}

impl Watch {
    /// The row, if it is growth and still what it seems: a close that no event told would make it a false one. Then the
    /// row begins anew, as it does with every close.
    fn accuse(
        &mut self,
        parameters: RowParameters,
        group: &GroupKey,
        ledger: &Ledger,
        now: Time,
    ) -> Option<Row> {
        let row = self.row.filter(|row| row.is_growth(parameters, now))?;
        let intact = u64::from(ledger.open_since(group, row.since)) >= row.opened;
        if !intact {
            self.row = None;
        }
        self.row
    }
}

impl Row {
    fn is_growth(&self, parameters: RowParameters, now: Time) -> bool {
        self.opened >= parameters.min_opened
            && self.last.since(self.since) >= parameters.min_span
            && now.since(self.last) <= parameters.window
    }

    fn evidence(&self, closed_before: u64) -> Counted {
        let Self { opened, since, last } = *self;
        Counted {
            opened,
            closed: 0,
            since,
            last,
            closed_before,
        }
    }
}

impl Counted {
    /// Growth in connections per hour: `(n - 1 - closed) / span`, for `n` openings bound `n - 1` intervals. `None` if
    /// they all opened at once, or nothing grows any more. A row knows no more than that: the interval has no width.
    fn per_hour(&self) -> Option<Interval> {
        let hours = self.last.since(self.since).as_secs_f64() / 3600.0;
        let grown = self.opened.saturating_sub(1).saturating_sub(self.closed);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of connections is far below 2^52"
        )]
        let rate = (hours > 0.0 && grown > 0).then(|| grown as f64 / hours)?;
        Some(Interval {
            low: rate,
            mid: rate,
            high: rate,
        })
    }
}

impl Alert {
    /// The finding as it is told now.
    fn told_as(&self, stage: Stage, group: GroupKey, open: u32, ledger: &Ledger, now: Time) -> Finding {
        let Self {
            number,
            evidence,
            peak,
            told: _,
        } = *self;
        // Almost always all of them are in one.
        let first = ledger.of_group(group).min_by_key(|(id, _)| *id);
        let sight = Sight {
            key: Key::Group(group),
            population: Population::All,
            basis: Basis::Row,
            picture: None,
            began: evidence.since,
            since: evidence.since,
            counts: (evidence.opened, evidence.closed, evidence.since),
            per_hour: evidence.per_hour(),
            cadence: None,
            closed_ever: evidence.closed_before + evidence.closed,
            known_since: evidence.since,
            open: (open, peak),
            seen_twice: false,
            tier: Tier::Suspected,
            lives: 1,
        };
        let mut leak = describe::leak(&sight, ledger, &Thresholds::new(Sensitivity::Normal), now);
        if stage == Stage::Updated {
            // The only news there is.
            leak.news = vec![News::Doubled];
        }
        Finding {
            id: FindingId {
                rule: Rule::Growth,
                number,
            },
            stage,
            process: group.process,
            comm: ledger.name(group.process),
            netns: first.map(|(_, connection)| connection.netns),
            kind: Kind::Leak(Box::new(leak)),
        }
    }

    /// What is news about it, now that `open` connections are open.
    fn follow(&mut self, open: u32, exited: bool) -> Option<Stage> {
        self.peak = self.peak.max(open);
        if open <= self.peak / 2 {
            return Some(Stage::Resolved(if exited {
                Resolution::ProcessExited
            } else {
                Resolution::Drained
            }));
        }
        if open >= self.told.saturating_mul(2) {
            self.told = open;
            return Some(Stage::Updated);
        }
        None
    }
}
