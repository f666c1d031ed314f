//! What the tracer is compared with: four rules that are in use elsewhere, each with the settings that did best on the
//! prototype's tuning families.
//!
//! They look at each group once a minute, at counts that the ledger keeps.

mod counts;
mod predict_linear;
mod trend;

use std::collections::HashMap;

use tracer::model::{connection::GroupKey, ledger::Ledger};

use crate::{
    accusation::{Accusation, Accused},
    drive::Testimony,
    world::MINUTE,
};

/// A group at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// When.
    pub at: f64,
    /// Connections that are open, or wait to be accepted.
    pub open: u32,
    /// Ever opened.
    pub opened: u64,
    /// Ever closed.
    pub closed: u64,
    /// The descriptor limit of its process.
    pub limit: f64,
}

/// A rule that judges one group by itself.
trait Rule {
    /// Looks at the group, once a minute; whether it is accused.
    fn accuses(&mut self, sample: Sample) -> bool;
}

/// The names of the rules, and how each starts on a new group.
type Start = fn() -> Box<dyn Rule>;
const RULES: [(&str, Start); 4] = [
    ("no close", || Box::new(counts::NoClose::default())),
    ("200 open", || Box::new(counts::ManyOpen)),
    ("Mann-Kendall", || Box::new(trend::Trend::default())),
    ("predict_linear", || Box::new(predict_linear::Forecast::default())),
];

/// All of them, on all groups.
pub struct Baselines {
    groups: HashMap<GroupKey, Vec<Watch>>,
    next: f64,
    done: [Vec<Accusation>; RULES.len()],
}

/// A rule on a group.
struct Watch {
    rule: Box<dyn Rule>,
    accusation: Option<Accusation>,
}

impl Default for Baselines {
    fn default() -> Self {
        Self {
            groups: HashMap::new(),
            next: 0.0,
            done: [const { Vec::new() }; RULES.len()],
        }
    }
}

impl Baselines {
    /// Lets them look, if a minute has passed.
    pub fn tick(&mut self, now: f64, ledger: &Ledger) {
        if now < self.next {
            return;
        }
        self.next = now + MINUTE;
        for (key, group) in ledger.groups().iter() {
            let limit = ledger
                .descriptors(key.process)
                .and_then(|table| table.limit)
                .and_then(|limit| u32::try_from(limit).ok());
            let sample = Sample {
                at: now,
                open: group.tally.open + group.tally.unaccepted,
                opened: group.tally.opened,
                closed: group.tally.closed,
                limit: limit.map_or(f64::INFINITY, f64::from),
            };
            let watches = self.groups.entry(*key).or_insert_with(|| {
                let start = |(_, start): &(&str, Start)| Watch {
                    rule: start(),
                    accusation: None,
                };
                RULES.iter().map(start).collect()
            });
            for (watch, done) in watches.iter_mut().zip(&mut self.done) {
                match (&mut watch.accusation, watch.rule.accuses(sample)) {
                    (accusation @ None, true) => {
                        *accusation = Some(Accusation::new(now, Accused::Group(key.process, key.peer_key())));
                    }
                    (accusation @ Some(_), false) => {
                        done.extend(accusation.take().map(|over| Accusation { to: now, ..over }));
                    }
                    _ => {}
                }
            }
        }
        // The ledger has forgotten a group: nothing has been open in it for long.
        let done = &mut self.done;
        self.groups.retain(|key, watches| {
            let is_there = ledger.groups().get(key).is_some();
            if !is_there {
                for (watch, done) in watches.iter_mut().zip(&mut *done) {
                    done.extend(watch.accusation.take().map(|over| Accusation { to: now, ..over }));
                }
            }
            is_there
        });
    }

    /// What each of them said.
    pub fn finish(self) -> impl Iterator<Item = Testimony> {
        let Self { groups, mut done, .. } = self;
        for watches in groups.into_values() {
            for (watch, done) in watches.into_iter().zip(&mut done) {
                done.extend(watch.accusation);
            }
        }
        RULES.iter().zip(done).map(|((detector, _), mut accusations)| {
            accusations.sort_by(|a, b| a.from.total_cmp(&b.from).then_with(|| a.who.cmp(&b.who)));
            Testimony {
                detector,
                accusations,
            }
        })
    }
}
