//! Verdicts: which groups leak, which servers are stalled.
//!
//! Pure, behind one interface: facts and ticks in, [`Finding`]s out ([`Detector`]). The rules in force are
//! [`growth::GrowthRule`] and [`stall::StallRule`]; [`Rules`] runs them side by side.

mod alert;
mod cadence;
mod describe;
pub mod evidence;
pub mod finding;
pub mod growth;
mod rings;
mod shape;
pub mod stall;
mod surge;
pub mod survivors;
pub mod thresholds;
mod usage;
mod watch;

#[cfg(test)]
mod tests;

use crate::model::{fact::Fact, ledger::Ledger, time::Time};
use finding::Finding;

/// Something that accuses.
pub trait Detector {
    /// Takes in a fact. Called for every open and close, so it has to be cheap.
    fn observe(&mut self, fact: &Fact);

    /// Looks at the state of things and appends what is news. Called about once a second.
    fn tick(&mut self, now: Time, ledger: &Ledger, findings: &mut Vec<Finding>);

    /// Whether a fresh snapshot before the next [`tick`](Self::tick) could change its verdict: something is about to be
    /// accused, or waits to be acquitted.
    fn is_suspicious(&self, _now: Time, _ledger: &Ledger) -> bool {
        false
    }
}

/// Several rules as one. What they find comes in the order of the rules.
pub struct Rules(Vec<Box<dyn Detector>>);

impl Rules {
    /// These, in this order.
    pub fn new(rules: Vec<Box<dyn Detector>>) -> Self {
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

    fn is_suspicious(&self, now: Time, ledger: &Ledger) -> bool {
        self.0.iter().any(|rule| rule.is_suspicious(now, ledger))
    }
}
