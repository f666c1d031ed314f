//! A server that does not accept.

use super::{Advice, Command, is_process};
use crate::{
    leak::finding::{Finding, Stalled},
    output::sanitize,
};

pub(super) fn advice(finding: &Finding, stalled: &Stalled, enter: Option<u32>) -> Advice {
    Advice {
        meaning: meaning(stalled),
        next: next_step(finding, stalled),
        // Of a listening socket ss shows the length of the queue as Recv-Q and its limit as Send-Q.
        command: Some(Command {
            enter,
            run: format!("ss -ltnp 'sport = :{}'", stalled.local.port()),
        }),
    }
}

fn meaning(stalled: &Stalled) -> String {
    let Stalled {
        holders,
        holders_at_limit,
        at_limit,
        ref queue,
        ..
    } = *stalled;
    let why = match (at_limit, holders_at_limit) {
        (true, _) => "this process has no descriptor left, so accept fails (EMFILE)".to_owned(),
        (false, 0) => "this process has stopped accepting".to_owned(),
        (false, full) => {
            format!(
                "nothing is accepted, and {full} of the {holders} processes that could are at their descriptor limit"
            )
        }
    };
    // A handshake whose SYN finds the queue full is dropped (`tcp_conn_request`, net/ipv4/tcp_input.c).
    let full = if queue.is_full() {
        "; the queue is full, so further clients cannot even connect"
    } else {
        ""
    };
    format!("clients see connect succeed and then time out: {why}{full}")
}

fn next_step(finding: &Finding, stalled: &Stalled) -> String {
    let name = sanitize::comm(&finding.comm);
    let pid = finding.process.pid;
    match (is_process(finding.process), stalled.holders_at_limit) {
        (false, _) => "find who holds the listening socket".to_owned(),
        (true, 0) => {
            format!(
                "find what the threads of {name} wait for instead of accepting: /proc/{pid}/task/*/stack, or a debugger"
            )
        }
        (true, _) => {
            format!(
                "find what {name} opens and does not close, most often connections; a higher limit \
                 (prlimit --pid {pid} --nofile=NUMBER) only buys time"
            )
        }
    }
}
