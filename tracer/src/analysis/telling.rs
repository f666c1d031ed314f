//! What a finding is told with.

use crate::{
    leak::finding::{Finding, Kind},
    model::{
        budget::PortUse,
        connection::{Direction, PeerKey},
        ledger::Ledger,
        process::ProcessInfo,
        time::Time,
        view,
    },
    output::{circumstances::Circumstances, json::Wall, record::Confidence},
};

/// Openers that a finding names.
const OPENERS: usize = 3;

/// All that is known at the moment of telling.
pub struct Telling<'a> {
    /// The books.
    pub ledger: &'a Ledger,
    /// What findings are worth.
    pub confidence: &'a Confidence,
    /// Number of ephemeral ports.
    pub ports: Option<u32>,
    /// The tracer's own network namespace.
    pub own_netns: Option<u32>,
    /// How moments become wall-clock times.
    pub wall: Wall,
    /// Now.
    pub now: Time,
}

impl Telling<'_> {
    /// The circumstances of a finding, about a process of which `info` is known.
    pub fn circumstances<'a>(&self, finding: &Finding, info: Option<&'a ProcessInfo>) -> Circumstances<'a> {
        let (ports, openers) = match &finding.kind {
            Kind::Growth(growth) => (
                self.port_use(&growth.group),
                view::openers(self.ledger, finding.process, &growth.group, OPENERS),
            ),
            Kind::Stalled(_) | Kind::Leak(_) | Kind::Exhaustion(_) => (None, Vec::new()),
        };
        Circumstances {
            confidence: self.confidence.clone(),
            info,
            standing: self.ledger.budget(finding.process, self.now),
            ports,
            openers,
            own_netns: self.own_netns,
            wall: self.wall,
            now: self.now,
        }
    }

    /// Of outbound connections.
    fn port_use(&self, peer: &PeerKey) -> Option<PortUse> {
        let available = self.ports.filter(|_| peer.direction == Direction::Outbound)?;
        let tally = &self.ledger.peers().get(peer)?.tally;
        let per_minute = [&tally.opened_rate, &tally.closed_rate].map(|rate| rate.per_minute(self.now));
        let [opened, closed] = per_minute;
        Some(PortUse::new(
            tally.open + tally.connecting,
            available,
            opened,
            closed,
        ))
    }
}
