//! What a tracer has said.

use anyhow::ensure;

use crate::{
    ledger::Ledger,
    stream::{Alert, Body, Loss, Stall, Summary},
};

/// What a tracer has said besides tables.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub alerts: Vec<Alert>,
    pub stalls: Vec<Stall>,
    pub losses: Vec<Loss>,
}

/// What a tracer said last.
pub struct Last {
    pub ledger: Ledger,
    pub summary: Summary,
    pub heard: Heard,
    pub stderr: Vec<String>,
}

impl Heard {
    pub fn note(&mut self, body: &Body) {
        match body {
            Body::Alert(alert) => self.alerts.push(alert.clone()),
            Body::Stall(stall) => self.stalls.push(stall.clone()),
            Body::Loss(loss) => self.losses.push(loss.clone()),
            Body::Started(_) | Body::Limit(_) | Body::Table(_) | Body::Summary(_) => {}
        }
    }
}

impl Last {
    /// The last table must say exactly this, and nothing may have gone wrong.
    pub fn expect(&self, what: &str, truth: &Ledger) -> anyhow::Result<()> {
        self.summary.books.are_clean()?;
        let ledger = &self.ledger;
        ensure!(
            ledger == truth,
            "{what}: the tracer says\n{ledger}but the truth is\n{truth}"
        );
        // Skipped program runs are told there; everything else is a complaint that a test must ask for.
        let complaint = !self.stderr.is_empty() && self.summary.books.skipped() == 0;
        ensure!(!complaint, "it complained: {:?}", self.stderr);
        Ok(())
    }
}
