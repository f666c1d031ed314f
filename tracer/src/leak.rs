//! Verdicts: which groups leak, which servers are stalled.
//!
//! Pure, behind one interface: facts and ticks in, [`Finding`]s out ([`Detector`]). The rules in force are
//! [`survivors::SurvivorRule`] and
//! [`stall::StallRule`]; [`Rules`] runs them side by side.

mod accumulated;
mod alert;
mod backstop;
mod cadence;
mod census;
mod describe;
mod dormant;
pub mod evidence;
pub mod finding;
mod judge;
mod lineage;
mod marks;
mod renewal;
mod rings;
pub mod row;
mod shape;
pub mod stall;
mod surge;
pub mod survivors;
pub mod thresholds;
mod unanswered;
mod usage;
mod watch;
mod watches;

#[cfg(test)]
mod tests;

use crate::model::{connection::ProcessId, fact::Fact, ledger::Ledger, time::Time};
use finding::Finding;
use row::{RowParameters, RowRule};
use stall::{StallParameters, StallRule};
use survivors::SurvivorRule;
use thresholds::{Sensitivity, Thresholds};

/// Something that accuses.
pub trait Detector {
    /// Takes in a fact. Called for every open and close, so it has to be cheap.
    fn observe(&mut self, fact: &Fact);

    /// Looks at the state of things and appends what is news. Called about once a second.
    fn tick(&mut self, now: Time, ledger: &Ledger, findings: &mut Vec<Finding>);

    /// The processes that findings which are not resolved are about: worth a look whether they are still there.
    fn accused(&self, _processes: &mut Vec<ProcessId>) {}

    /// Whether a fresh snapshot before the next [`tick`](Self::tick) could change its verdict: something is about to be
    /// accused, or waits to be acquitted.
    fn is_suspicious(&self, _now: Time, _ledger: &Ledger) -> bool {
        false
    }
}

/// What counts as a finding.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Of a leak.
    pub thresholds: Thresholds,
    /// The strict rule, in the place of survivor rings.
    pub row: Option<RowParameters>,
    /// Of a stalled server, if that is looked for.
    pub stall: Option<StallParameters>,
}

impl Parameters {
    /// Those of a sensitivity.
    pub fn new(sensitivity: Sensitivity) -> Self {
        Self {
            thresholds: Thresholds::new(sensitivity),
            row: None,
            stall: Some(StallParameters::default()),
        }
    }
}

/// Several rules as one. What they find comes in the order of the rules.
pub struct Rules(Vec<Box<dyn Detector>>);

impl Rules {
    /// The rules in force, for at most so many groups, and as many processes and peers.
    pub fn new(parameters: &Parameters, groups: usize) -> Self {
        let leaks: Box<dyn Detector> = match parameters.row {
            Some(row) => Box::new(RowRule::new(row)),
            None => Box::new(SurvivorRule::new(parameters.thresholds, groups.saturating_mul(3))),
        };
        let mut rules = vec![leaks];
        if let Some(stall) = parameters.stall {
            rules.push(Box::new(StallRule::new(stall)));
        }
        Self(rules)
    }
}

impl Detector for Rules {
    fn observe(&mut self, fact: &Fact) {
        for rule in &mut self.0 {
            rule.observe(fact);
        }
    }

    fn tick(&mut self, now: Time, ledger: &Ledger, findings: &mut Vec<Finding>) {
        for rule in &mut self.0 {
            rule.tick(now, ledger, findings);
        }
    }

    fn accused(&self, processes: &mut Vec<ProcessId>) {
        for rule in &self.0 {
            rule.accused(processes);
        }
    }

    fn is_suspicious(&self, now: Time, ledger: &Ledger) -> bool {
        self.0.iter().any(|rule| rule.is_suspicious(now, ledger))
    }
}
