//! What a detector said about a world.

use std::collections::HashMap;

use tracer::{
    leak::{
        evidence::{Scope, Tier},
        finding::{Finding, FindingId, Kind, Stage},
    },
    model::connection::{Direction, Peer, PeerKey, ProcessId},
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
    pub who: Accused,
}

/// Who is accused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accused {
    /// A process, for its connections with one peer.
    Group(ProcessId, PeerKey),
    /// A process as a whole.
    Process(ProcessId),
    /// A peer, whoever holds the connections with it.
    Peer(Direction, Peer),
}

impl Accusation {
    /// A suspicion that begins now.
    pub const fn new(from: f64, who: Accused) -> Self {
        Self {
            from,
            to: NEVER,
            confirmed: NEVER,
            who,
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
            self.accusations.push(Accusation::new(at, accused(finding)));
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

/// Whom a finding names.
fn accused(finding: &Finding) -> Accused {
    let process = finding.process;
    match &finding.kind {
        Kind::Leak(leak) => match &leak.scope {
            Scope::Group(peer) => Accused::Group(process, *peer),
            Scope::Process { .. } => Accused::Process(process),
            Scope::Peer { direction, peer, .. } => Accused::Peer(*direction, *peer),
        },
        Kind::Stalled(_) | Kind::Exhaustion(_) => Accused::Process(process),
    }
}

/// Whether a finding is more than a suspicion. That a server does not accept is seen, not inferred; that descriptors run
/// out is, too, but says nothing about a leak.
fn is_confirmed(finding: &Finding) -> bool {
    match &finding.kind {
        Kind::Leak(leak) => leak.tier == Tier::Confirmed,
        Kind::Stalled(_) => true,
        Kind::Exhaustion(_) => false,
    }
}
