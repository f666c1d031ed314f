//! What a finding means and what to do next, in plain words. All such texts stand here and below.

mod exhaustion;
pub mod explanation;
mod leak;
mod stall;

use std::{fmt, net::IpAddr};

use crate::{
    leak::finding::{Finding, Kind},
    model::connection::ProcessId,
};

/// What to tell with a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it means.
    pub meaning: String,
    /// What to do next.
    pub next: String,
    /// What shows it.
    pub command: Option<Command>,
}

/// A shell command. Only numbers and addresses go into it, nothing that another process chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The process into whose network namespace it must go first.
    pub enter: Option<u32>,
    /// The command itself.
    pub run: String,
}

impl Advice {
    /// For this finding. `own_netns` is the network namespace of whoever reads it, so far as it is known: that of the
    /// tracer.
    pub fn of(finding: &Finding, own_netns: Option<u32>) -> Self {
        let enter = enter(finding, own_netns);
        match &finding.kind {
            Kind::Stalled(stalled) => stall::advice(finding, stalled, enter),
            Kind::Leak(leak) => leak::advice(finding, leak, enter),
            Kind::Exhaustion(exhaustion) => exhaustion::advice(finding, exhaustion),
        }
    }

    /// What to do, in one line.
    pub fn one_line(&self) -> String {
        let next = &self.next;
        match &self.command {
            Some(command) => format!("{next}; list them: {command}"),
            None => next.clone(),
        }
    }
}

impl Command {
    /// The part that enters the namespace, if there is one.
    pub fn entering(&self) -> Option<String> {
        self.enter.map(|pid| format!("nsenter -t {pid} -n"))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entering) = self.entering() {
            write!(f, "{entering} ")?;
        }
        f.write_str(&self.run)
    }
}

/// `ss` shows only what is in its own network namespace.
fn enter(finding: &Finding, own_netns: Option<u32>) -> Option<u32> {
    let elsewhere = finding.netns.is_some() && own_netns.is_some() && finding.netns != own_netns;
    (elsewhere && is_process(finding.process)).then_some(finding.process.pid)
}

/// An address in an expression of `ss`.
fn ss_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        // Without the brackets ss takes the last colon for a port's.
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Whether it stands for a process that can be looked at.
pub(super) fn is_process(process: ProcessId) -> bool {
    process != ProcessId::KERNEL && process != ProcessId::OTHER
}
