//! Connections that pile up: what each class means, and what to do.

use super::{Advice, Command, is_process, ss_address};
use crate::{
    leak::{
        evidence::{Class, Leak, Scope},
        finding::Finding,
    },
    model::connection::{Direction, Peer, PeerKey, Phase, ProcessId},
    output::{leak::service_port, sanitize},
};

pub(super) fn advice(finding: &Finding, leak: &Leak, enter: Option<u32>) -> Advice {
    Advice {
        meaning: meaning(leak),
        next: next_step(finding, leak),
        command: command(finding, leak, enter),
    }
}

/// Who fails to do what.
fn meaning(leak: &Leak) -> String {
    let process = match leak.scope {
        Scope::Peer { processes: 2.., .. } => "each of these processes",
        _ => "this process",
    };
    let (peer, leaves) = match leak.scope {
        Scope::Process { .. } => ("many peers, a few each, open connections to", "leave"),
        _ => ("the peer opens connections to", "leaves"),
    };
    if is_half_closed(leak) {
        return format!("{process} has shut most of them down, and keeps their descriptors");
    }
    match (leak.class, leak.scope.direction()) {
        (Class::CloseMissing, _) => {
            format!(
                "the peer has closed its end, and {process} does not close its own: the descriptors stay taken"
            )
        }
        (Class::Abandoned, _) => {
            format!("{process} opens connections, leaves them unused and does not close them")
        }
        (Class::AbandonedByPeer, _) => {
            format!("{peer} {process} and {leaves} them unused, and neither end closes them")
        }
        (Class::ErrorsIgnored, _) => {
            format!("they are dead, reset or timed out, and {process} keeps their descriptors")
        }
        (Class::NotAccepted, _) => {
            format!("clients see connect succeed and then time out: {process} does not accept them")
        }
        (Class::BlackHole, _) => {
            format!("{process} tries to connect, and nobody answers, not even with a refusal")
        }
        (Class::Kept, Direction::Outbound) => {
            format!("{process} opens connections and does not close them; that they are unused is not known")
        }
        (Class::Kept, Direction::Inbound) => {
            format!("{peer} {process}, and neither end closes them; that they are unused is not known")
        }
    }
}

/// Whether the process did half of it: what is open to neither side needs a close, whatever the class says of its use.
fn is_half_closed(leak: &Leak) -> bool {
    let is_of_use = matches!(
        leak.class,
        Class::Abandoned | Class::AbandonedByPeer | Class::Kept
    );
    is_of_use && leak.phases.prevailing() == Some(Phase::HalfClosedLocal)
}

/// What to do, and who has to.
fn next_step(finding: &Finding, leak: &Leak) -> String {
    if let Some(next) = without_names(finding, leak) {
        return next.to_owned();
    }
    let name = match leak.scope {
        Scope::Peer { processes: 2.., .. } => "these processes".to_owned(),
        _ => sanitize::comm(&finding.comm),
    };
    let between = between(leak);
    let class = if is_half_closed(leak) {
        Class::CloseMissing
    } else {
        leak.class
    };
    match (class, leak.scope.direction()) {
        (Class::CloseMissing, _) => format!(
            "look in {name} for a close that is missing, or not reached, after the end of a connection {between}"
        ),
        (Class::Abandoned, _) | (Class::Kept, Direction::Outbound) => format!(
            "look in {name} for a client or channel {between} that is made again and again and never closed"
        ),
        (Class::AbandonedByPeer, _) => format!(
            "find what opens connections {between}: the cause is most likely there; an idle timeout in {name} limits \
             the damage"
        ),
        (Class::ErrorsIgnored, _) => {
            format!("look in {name} for an error of a connection {between} after which it is not closed")
        }
        (Class::NotAccepted, _) => {
            format!(
                "find what the threads of {name} wait for instead of accepting, and whether descriptors are left"
            )
        }
        (Class::BlackHole, _) => format!(
            "find what drops packets {between}, a firewall or a route, or whether the host is gone; a deadline for \
             connect in {name} limits the damage"
        ),
        (Class::Kept, Direction::Inbound) => {
            format!("find what opens connections {between}, and whether it needs so many")
        }
    }
}

/// Where there is no process or no peer to look at.
fn without_names(finding: &Finding, leak: &Leak) -> Option<&'static str> {
    let peer = match &leak.scope {
        Scope::Group(group) => Some(group.peer),
        Scope::Peer { peer, .. } => Some(*peer),
        Scope::Process { .. } => None,
    };
    let is_one = !matches!(leak.scope, Scope::Peer { processes: 2.., .. });
    match finding.process {
        _ if peer == Some(Peer::Other) => Some(
            "more peers than fit the tables: narrow it down with --peer or --port, or raise --max-groups",
        ),
        ProcessId::KERNEL if is_one => {
            Some("the kernel itself holds them, for example for a network file system: look at its mounts")
        }
        ProcessId::OTHER if is_one => Some(
            "more processes than fit the tables: narrow it down with --pid or --port, or raise --max-groups",
        ),
        _ => None,
    }
}

/// `to 10.0.0.7 port 9090`.
fn between(leak: &Leak) -> String {
    let peer = match &leak.scope {
        Scope::Group(PeerKey { peer, .. }) | Scope::Peer { peer, .. } => peer.to_string(),
        Scope::Process { .. } => "its peers".to_owned(),
    };
    match (leak.scope.direction(), service_port(leak)) {
        (Direction::Outbound, None) => format!("to {peer}"),
        (Direction::Outbound, Some(port)) => format!("to {peer} port {port}"),
        (Direction::Inbound, None) => format!("from {peer}"),
        (Direction::Inbound, Some(port)) => format!("from {peer} to port {port}"),
    }
}

/// Lists the connections.
fn command(finding: &Finding, leak: &Leak, enter: Option<u32>) -> Option<Command> {
    let pid = finding.process.pid;
    let peer = match &leak.scope {
        // No expression of ss names a process.
        Scope::Process { direction, .. } => {
            return is_process(finding.process)
                .then(|| tracer_list(&format!("--pid {pid} --direction {direction}")));
        }
        Scope::Group(PeerKey { peer, .. }) | Scope::Peer { peer, .. } => peer,
    };
    let &Peer::Address(address) = peer else {
        return None;
    };
    let port = service_port(leak);
    let state = match leak.class {
        Class::NotAccepted if leak.scope.direction() == Direction::Inbound => {
            // Of a listening socket ss shows the length of the queue as Recv-Q and its limit as Send-Q.
            let filter = port.map_or_else(String::new, |port| format!(" 'sport = :{port}'"));
            let run = format!("ss -ltnp{filter}");
            return Some(Command { enter, run });
        }
        Class::ErrorsIgnored => {
            // The kernel has taken them out of the tables that ss reads; the descriptors are still there.
            let port = port.map_or_else(String::new, |port| format!(" --port {port}"));
            return Some(tracer_list(&format!("--all --peer {address}{port}")));
        }
        Class::CloseMissing => "state close-wait ",
        Class::BlackHole => "state syn-sent ",
        _ => "",
    };
    let side = match leak.scope.direction() {
        Direction::Outbound => "dport",
        Direction::Inbound => "sport",
    };
    let port = port.map_or_else(String::new, |port| format!(" and {side} = {port}"));
    let peer = ss_address(address);
    Some(Command {
        enter,
        run: format!("ss -tnp {state}'dst {peer}{port}'"),
    })
}

/// It looks into all network namespaces.
fn tracer_list(options: &str) -> Command {
    Command {
        enter: None,
        run: format!("tracer list {options}"),
    }
}
