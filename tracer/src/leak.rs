//! Verdicts: which groups leak.
//!
//! Pure, behind one interface: facts and ticks in, [`Finding`]s out ([`Detector`]). The rule in force is
//! [`growth::GrowthRule`].

pub mod finding;
pub mod growth;

#[cfg(test)]
mod tests;

use crate::model::{
    ledger::{Fact, Ledger},
    time::Time,
};
use finding::Finding;

/// Something that accuses.
pub trait Detector {
    /// Takes in a fact. Called for every open and close, so it has to be cheap.
    fn observe(&mut self, fact: &Fact);

    /// Looks at the state of things and appends what is news. Called about once a second.
    fn tick(&mut self, now: Time, ledger: &Ledger, findings: &mut Vec<Finding>);
}
