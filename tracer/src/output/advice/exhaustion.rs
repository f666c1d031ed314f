//! A process that nears its descriptor limit.

use std::time::Duration;

use super::{Advice, Command, is_process};
use crate::{
    leak::{evidence::Exhaustion, finding::Finding},
    output::sanitize,
};

pub(super) fn advice(finding: &Finding, exhaustion: &Exhaustion) -> Advice {
    let is_left = exhaustion.lasts != Some(Duration::ZERO);
    let when = if is_left { "at the limit" } else { "now" };
    let pid = finding.process.pid;
    let is_known = is_process(finding.process);
    // Of anything but sockets the tracer knows nothing.
    let is_sockets = u64::from(exhaustion.sockets) * 2 >= u64::from(exhaustion.used);
    let next = match (is_known, is_sockets) {
        (false, _) => "find who holds so many descriptors".to_owned(),
        (true, true) => format!(
            "find what {} opens and does not close; a higher limit (prlimit --pid {pid} --nofile=NUMBER) only buys time",
            sanitize::comm(&finding.comm)
        ),
        (true, false) => format!(
            "find what {} opens and does not close: most are no TCP sockets; a higher limit (prlimit --pid {pid} \
             --nofile=NUMBER) only buys time",
            sanitize::comm(&finding.comm)
        ),
    };
    let run = if is_sockets {
        format!("tracer list --pid {pid}")
    } else {
        format!("ls -l /proc/{pid}/fd")
    };
    Advice {
        // `alloc_fd` (fs/file.c).
        meaning: format!("{when} this process can accept, connect and open nothing more (EMFILE)"),
        next,
        command: is_known.then_some(Command { enter: None, run }),
    }
}
