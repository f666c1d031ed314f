//! What a finding is told with.

use crate::{
    leak::{
        evidence::{Class, Leak, Scope},
        finding::{Finding, Kind},
    },
    model::{
        budget::PortUse,
        code::Code,
        connection::{Connection, ConnectionId, Direction, GroupKey, PeerKey, ProcessId},
        ledger::Ledger,
        name::Comm,
        process::ProcessInfo,
        time::Time,
        view,
    },
    output::{circumstances::Circumstances, json::Wall, record::Confidence},
};

/// Processes, and how many connections each has to do with.
type Counted = Vec<(ProcessId, Comm, u32)>;

/// Openers that a finding names.
const OPENERS: usize = 3;
/// Stacks that a finding names.
const STACKS: usize = 3;

/// All that is known at the moment of telling.
pub struct Telling<'a> {
    /// The books.
    pub ledger: &'a Ledger,
    /// What findings are worth.
    pub confidence: &'a Confidence,
    /// Number of ephemeral ports.
    pub ports: Option<u32>,
    /// Whether frames of libraries are shown.
    pub full_stacks: bool,
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
        let code = match &finding.kind {
            Kind::Leak(leak) => Some(self.code(finding.process, leak)),
            Kind::Stalled(_) | Kind::Exhaustion(_) => None,
        };
        let (ports, [openers, other_ends]) = match &finding.kind {
            Kind::Leak(leak) => self.of_scope(finding.process, &leak.scope),
            Kind::Stalled(_) | Kind::Exhaustion(_) => (None, Default::default()),
        };
        let is_of_several = matches!(&finding.kind, Kind::Leak(leak) if matches!(leak.scope, Scope::Peer { processes: 2.., .. }));
        // The limit of one of several processes says little about all.
        let standing = (!is_of_several)
            .then(|| self.ledger.budget(finding.process, self.now))
            .flatten();
        Circumstances {
            confidence: self.confidence.clone(),
            info,
            standing,
            ports,
            openers,
            other_ends,
            code: code.filter(Code::was_asked),
            full_stacks: self.full_stacks,
            own_netns: self.own_netns,
            wall: self.wall,
            now: self.now,
        }
    }

    /// Ports, openers and other ends of what the finding of a leak is about.
    fn of_scope(&self, process: ProcessId, scope: &Scope) -> (Option<PortUse>, [Counted; 2]) {
        match scope {
            Scope::Group(group) => (
                self.port_use(group),
                self.processes(|of| of.process == process && of.peer_key() == *group),
            ),
            Scope::Process { direction, .. } => (
                None,
                self.processes(|of| of.process == process && of.direction == *direction),
            ),
            Scope::Peer { direction, peer, .. } => (
                None,
                self.processes(|of| of.peer == *peer && of.direction == *direction),
            ),
        }
    }

    /// Which code opened what a leak consists of.
    fn code(&self, process: ProcessId, leak: &Leak) -> Code {
        let is_gone = matches!(leak.class, Class::CloseMissing | Class::ErrorsIgnored);
        let connections: Box<dyn Iterator<Item = (ConnectionId, Connection)>> = match leak.scope {
            Scope::Group(group) => Box::new(self.ledger.of_group(group.of_process(process))),
            Scope::Process { direction, .. } => Box::new(self.ledger.of_process(process, direction)),
            Scope::Peer { direction, peer, .. } => Box::new(self.ledger.of_peer(direction, peer)),
        };
        let connections = connections
            .map(|(_, connection)| connection)
            .filter(|connection| !is_gone || connection.life.peer_gone.is_some());
        Code::of(self.ledger, connections, STACKS)
    }

    fn processes(&self, is_of: impl Fn(&GroupKey) -> bool) -> [Counted; 2] {
        [
            view::openers(self.ledger, &is_of, OPENERS),
            view::other_ends(self.ledger, &is_of, OPENERS),
        ]
    }

    /// Of outbound connections.
    fn port_use(&self, peer: &PeerKey) -> Option<PortUse> {
        let available = self.ports.filter(|_| peer.direction == Direction::Outbound)?;
        let peer = self.ledger.peers().get(peer)?;
        let per_minute = [&peer.opened_rate, &peer.closed_rate].map(|rate| rate.per_minute(self.now));
        let [opened, closed] = per_minute;
        Some(PortUse::new(
            peer.tally.open + peer.tally.connecting,
            available,
            opened,
            closed,
        ))
    }
}
