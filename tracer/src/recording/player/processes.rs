//! What lines tell of processes.

use std::time::Duration;

use super::{Player, id_of};
use crate::{
    enrich::cgroup,
    model::{
        connection::ProcessId, fact::Fact, ledger::Ledger, name::Comm, process::ProcessInfo,
        snapshot::Descriptors, time::Time,
    },
    recording::line::{Process, ProcessExit},
};

/// Processes that are remembered although the books do not know them.
const PROCESSES: usize = 1 << 15;
/// How long they are, at least.
const FRESH: Duration = Duration::from_mins(1);

/// What is known of a process.
pub(super) struct Known {
    pub(super) comm: Comm,
    pub(super) info: Option<ProcessInfo>,
    nofile: Option<u64>,
    told: Time,
}

impl Player {
    /// What the recording tells of a process.
    pub fn process(&self, process: ProcessId) -> Option<&ProcessInfo> {
        self.processes.get(&process)?.info.as_ref()
    }

    /// Forgets processes that the books do not know, if there are many.
    pub(super) fn forget(&mut self, now: Time, ledger: &Ledger) {
        if self.processes.len() <= self.crowd.max(PROCESSES) {
            return;
        }
        let is_in_the_books = |process: &ProcessId| ledger.processes().get(process).is_some();
        self.processes
            .retain(|process, known| is_in_the_books(process) || now.since(known.told) < FRESH);
        if self.processes.len() > PROCESSES {
            self.processes.retain(|process, _| is_in_the_books(process));
        }
        self.crowd = self.processes.len() * 2;
    }

    pub(super) fn describe(&mut self, line: Process, ledger: &mut Ledger) {
        let process = id_of(line.pid, line.start);
        let known = self.processes.entry(process).or_insert_with(|| Known {
            comm: line.comm,
            info: None,
            nofile: None,
            told: line.ts,
        });
        known.comm = line.comm;
        known.told = line.ts;
        known.nofile = line.nofile.or(known.nofile);
        let Process {
            ts,
            comm,
            nofile,
            fds,
            sockets,
            ..
        } = line;
        line.inform(&mut known.info);
        ledger.rename(process, comm);
        if fds.is_some() || nofile.is_some() {
            let entry = ledger.processes().get(&process);
            let open = entry.map_or(0, |entry| entry.tally.open);
            self.tables.count(process);
            self.counted.push(Descriptors {
                process,
                comm,
                // Every connection is a descriptor at least.
                used: fds.unwrap_or(open),
                sockets: sockets.unwrap_or(open),
                limit: known.nofile,
                at: ts,
            });
        }
    }

    pub(super) fn count(&mut self, ledger: &mut Ledger) {
        for table in self.counted.drain(..) {
            ledger.note_descriptors(table);
        }
    }

    pub(super) fn exit(&mut self, line: &ProcessExit, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        let (process, at) = (id_of(line.pid, line.start), line.ts);
        self.counted.retain(|table| table.process != process);
        let held = if line.told_apart {
            Vec::new()
        } else {
            ledger.connections_of(process)
        };
        for id in held {
            let heirs = self.shared.get_mut(&id).map(|holders| {
                holders.retain(|holder| *holder != process);
                holders.clone()
            });
            match heirs {
                Some(heirs) if !heirs.is_empty() => self.share(id, heirs, at, ledger, facts),
                _ => self.end(id, at, ledger, facts),
            }
        }
        self.queues.forget(process);
        ledger.note_exit(process);
    }
}

impl Process {
    /// Notes what is new.
    fn inform(self, info: &mut Option<ProcessInfo>) {
        let Self {
            exe,
            mut args,
            cgroup,
            unit,
            container,
            inner_pid,
            ..
        } = self;
        if args.is_empty() {
            args = exe.map(String::into_bytes).unwrap_or_default();
        }
        args.truncate(ProcessInfo::ARGS);
        let is_silent = args.is_empty()
            && cgroup.is_none()
            && unit.is_none()
            && container.is_none()
            && inner_pid.is_none();
        if is_silent {
            return;
        }
        let info = info.get_or_insert_default();
        if !args.is_empty() {
            info.args = args;
        }
        if let Some(cgroup) = cgroup {
            let membership = cgroup::parse(&cgroup_file(&cgroup));
            info.unit = membership.unit;
            info.container = membership.container;
        }
        info.unit = unit.or(info.unit.take());
        info.container = container.or(info.container.take());
        info.inner_pid = inner_pid.or(info.inner_pid);
    }
}

/// A recording may hold the path alone, or the lines of `/proc/PID/cgroup`.
fn cgroup_file(cgroup: &str) -> Vec<u8> {
    let hierarchy = if cgroup.starts_with('/') { "0::" } else { "" };
    format!("{hierarchy}{cgroup}\n").into_bytes()
}
