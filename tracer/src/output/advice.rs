//! What a finding means and what to do next, in plain words. All such texts stand here.

use super::sanitize;
use crate::{
    leak::finding::Finding,
    model::connection::{Direction, Peer, ProcessId},
};

/// What the finding means.
pub fn meaning(finding: &Finding) -> String {
    match finding.group.direction {
        Direction::Outbound => {
            "this process opens connections to the peer and closes none of them".to_owned()
        }
        Direction::Inbound => {
            "the peer keeps opening connections to this process and closes none of them".to_owned()
        }
    }
}

/// What to do next. Only numbers and addresses go into the commands, nothing that another process chose.
pub fn next_step(finding: &Finding) -> String {
    let group = finding.group;
    let name = sanitize::comm(&finding.comm);
    let port = group.service_port;
    let address = match group.peer {
        Peer::Address(address) => address.to_string(),
        Peer::Other => {
            return "more peers than fit the tables: narrow it down with --peer or raise --max-groups"
                .to_owned();
        }
    };
    if group.process == ProcessId::KERNEL {
        return format!(
            "the kernel itself holds them (a network file system, for example); list them: ss -tn dst {address}"
        );
    }
    match group.direction {
        Direction::Outbound => format!(
            "look in {name} for a client or channel to {address} port {port} that is made again and again and never \
             closed; list its sockets: ss -tnp 'dst {address} and dport = {port}'"
        ),
        Direction::Inbound => format!(
            "the cause is at {address}: find there what connects to port {port} and never closes; list the sockets: \
             ss -tnp 'dst {address} and sport = {port}'"
        ),
    }
}
