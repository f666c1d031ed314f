//! What a detector said about a world.

use std::collections::HashMap;

use tracer::{
    leak::{
        evidence::{Scope, Tier},
        finding::{Finding, FindingId, Kind, Stage},
    },
    model::connection::{PeerKey, ProcessId},
};

use crate::world::NEVER;

/// Somebody is accused, for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accusation {
    /// From then on.
    pub from: f64,
    /// Until then, or [`NEVER`].
    pub to: f64,
    /// When it was told as confirmed, or [`NEVER`].
    pub confirmed: f64,
    /// Who.
    pub process: ProcessId,
    /// For its connections with whom; `None` if that was not said.
    pub peer: Option<PeerKey>,
}

impl Accusation {
    /// A suspicion that begins now.
    pub const fn new(from: f64, process: ProcessId, peer: Option<PeerKey>) -> Self {
        Self {
            from,
            to: NEVER,
            confirmed: NEVER,
            process,
            peer,
        }
    }
}

/// The findings of the tracer as accusations.
#[derive(Default)]
pub struct Docket {
    accusations: Vec<Accusation>,
    open: HashMap<FindingId, usize>,
}

impl Docket {
    /// Takes in what was told at this moment.
    pub fn enter(&mut self, at: f64, finding: &Finding) {
        if finding.stage == Stage::Opened {
            let place = self.accusations.len();
            self.accusations
                .push(Accusation::new(at, finding.process, peer(&finding.kind)));
            self.open.insert(finding.id, place);
        }
        let place = self.open.get(&finding.id);
        let Some(accusation) = place.and_then(|place| self.accusations.get_mut(*place)) else {
            return;
        };
        if is_confirmed(finding) {
            accusation.confirmed = accusation.confirmed.min(at);
        }
        if matches!(finding.stage, Stage::Resolved(_)) {
            accusation.to = at;
            self.open.remove(&finding.id);
        }
    }

    /// The tracer has been restarted: what it said before is over.
    pub fn restart(&mut self, at: f64) {
        for (_, place) in self.open.drain() {
            if let Some(accusation) = self.accusations.get_mut(place) {
                accusation.to = at;
            }
        }
    }

    /// All of them, in the order in which they were raised.
    pub fn close(self) -> Vec<Accusation> {
        self.accusations
    }
}

/// Whom the accused has the connections with.
fn peer(kind: &Kind) -> Option<PeerKey> {
    match kind {
        Kind::Growth(growth) => Some(growth.group),
        Kind::Leak(leak) => match &leak.scope {
            Scope::Group(group) => Some(*group),
            Scope::Process { .. } | Scope::Peer { .. } => None,
        },
        Kind::Stalled(_) | Kind::Exhaustion(_) => None,
    }
}

/// Whether a finding is more than a suspicion. A rule that knows no tiers only suspects, but for a stalled server: that
/// is seen, not inferred.
fn is_confirmed(finding: &Finding) -> bool {
    match &finding.kind {
        Kind::Leak(leak) => leak.tier == Tier::Confirmed,
        Kind::Stalled(_) | Kind::Exhaustion(_) => true,
        Kind::Growth(_) => false,
    }
}
