//! A group of connections that only grows.

use super::{Advice, Command, is_process, ss_address};
use crate::{
    leak::finding::{Finding, Growth},
    model::connection::{Direction, Peer, Phase, ProcessId},
    output::sanitize,
};

pub(super) fn advice(finding: &Finding, growth: &Growth, enter: Option<u32>) -> Advice {
    Advice {
        meaning: meaning(growth).to_owned(),
        next: next_step(finding, growth),
        command: command(finding, growth, enter),
    }
}

fn meaning(growth: &Growth) -> &'static str {
    match (growth.phases.prevailing(), growth.group.direction) {
        (Some(Phase::HalfClosedRemote), _) => {
            "the peer has closed most of them, and this process does not close its end"
        }
        (Some(Phase::HalfClosedLocal), _) => {
            "this process has shut most of them down, but keeps their descriptors"
        }
        (Some(Phase::DeadHeld), _) => {
            "most of them are dead, reset or timed out, and this process keeps their descriptors"
        }
        (_, Direction::Outbound) => "this process opens connections to the peer and does not close them",
        (_, Direction::Inbound) => {
            "the peer keeps opening connections to this process, and neither end closes them"
        }
    }
}

fn next_step(finding: &Finding, growth: &Growth) -> String {
    let group = growth.group;
    let port = group.service_port;
    let Peer::Address(address) = group.peer else {
        return "more peers than fit the tables: narrow it down with --peer or --port, or raise --max-groups"
            .to_owned();
    };
    if finding.process == ProcessId::KERNEL {
        return "the kernel itself holds them, for example for a network file system: look at its mounts"
            .to_owned();
    }
    if finding.process == ProcessId::OTHER {
        return "more processes than fit the tables: narrow it down with --pid or --port, or raise --max-groups"
            .to_owned();
    }
    let name = sanitize::comm(&finding.comm);
    match (growth.phases.prevailing(), group.direction) {
        (Some(Phase::HalfClosedRemote | Phase::HalfClosedLocal), _) => {
            format!(
                "look in {name} for a close that is missing, or not reached, after the end of a connection to {address} port {port}"
            )
        }
        (Some(Phase::DeadHeld), _) => {
            format!(
                "look in {name} for an error of a connection to {address} port {port} after which it is not closed"
            )
        }
        (_, Direction::Outbound) => {
            format!(
                "look in {name} for a client or channel to {address} port {port} that is made again and again and \
                 never closed"
            )
        }
        (_, Direction::Inbound) => {
            format!("the cause is most likely at {address}: find what connects from there to port {port}")
        }
    }
}

/// Lists the connections.
fn command(finding: &Finding, growth: &Growth, enter: Option<u32>) -> Option<Command> {
    let group = growth.group;
    if growth.phases.prevailing() == Some(Phase::DeadHeld) && is_process(finding.process) {
        // The kernel has taken them out of the tables that ss reads; the descriptors are still there.
        return Some(Command {
            enter: None,
            run: format!("ls -l /proc/{}/fd", finding.process.pid),
        });
    }
    let peer = match group.peer {
        Peer::Address(address) => ss_address(address),
        Peer::Other => return None,
    };
    let side = match group.direction {
        Direction::Outbound => "dport",
        Direction::Inbound => "sport",
    };
    let port = group.service_port;
    Some(Command {
        enter,
        run: format!("ss -tnp 'dst {peer} and {side} = {port}'"),
    })
}
