//! What `/proc` tells of processes, read once for each.

use std::collections::{HashMap, hash_map::Entry};

use rustix::io::Result;

use super::cgroup;
use crate::{
    model::{connection::ProcessId, name::Comm, process::ProcessInfo},
    procfs::{process::Directory, status},
};

/// A dozen hierarchies with paths of ordinary length.
const CGROUP_BYTES: usize = 16 * 1024;
/// `NSpid` comes early: only the supplementary groups before it can be many.
const STATUS_BYTES: usize = 16 * 1024;
/// How many names of one process make its facts be read again.
const NAMES: usize = 8;

/// Facts about processes, by process.
///
/// Of each process `/proc` is read when it is first asked for, and again when it has a name that it never had before:
/// so much changes with `execve`. A process that changes its name all the time is read eight times.
pub struct Facts {
    entries: HashMap<ProcessId, Known>,
    limit: usize,
    refused: u64,
}

struct Known {
    info: Option<ProcessInfo>,
    /// Names that it was read under.
    names: Vec<Comm>,
}

impl Facts {
    /// Facts about so many processes at most.
    pub fn new(limit: usize) -> Self {
        Self {
            entries: HashMap::new(),
            limit,
            refused: 0,
        }
    }

    /// What is known of a process that has this name now (empty if unknown). Of one that is gone, what was known;
    /// `None` if that is nothing.
    pub fn look_up(&mut self, process: ProcessId, comm: Comm) -> Option<&ProcessInfo> {
        if process == ProcessId::KERNEL || process == ProcessId::OTHER {
            return None;
        }
        let full = self.entries.len() >= self.limit;
        let known = match self.entries.entry(process) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if full => {
                self.refused += 1;
                return None;
            }
            Entry::Vacant(vacant) => {
                let known = vacant.insert(Known {
                    info: None,
                    names: Vec::new(),
                });
                known.read(process, comm);
                return known.info.as_ref();
            }
        };
        let is_new = comm != Comm::default() && !known.names.contains(&comm);
        if is_new && known.names.len() < NAMES {
            known.read(process, comm);
        }
        known.info.as_ref()
    }

    /// Whether the process was looked up before.
    pub fn knows(&self, process: ProcessId) -> bool {
        self.entries.contains_key(&process)
    }

    /// Forgets the processes that `keep` does not want: to be called now and then with those that the books know.
    pub fn retain(&mut self, keep: impl Fn(ProcessId) -> bool) {
        self.entries.retain(|process, _| keep(*process));
    }

    /// Look-ups that found no room for another process.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

impl Known {
    /// Reads; what was known stays if the process is gone.
    fn read(&mut self, process: ProcessId, comm: Comm) {
        self.names.push(comm);
        if let Ok(Some(info)) = read(process) {
            self.info = Some(info);
        }
    }
}

/// Reads the facts about a process; `None` if its number belongs to another one now. Each by itself may be missing:
/// some are hidden from whom others are not.
fn read(process: ProcessId) -> Result<Option<ProcessInfo>> {
    let directory = Directory::open(process.pid)?;
    if !directory.is_of(process) {
        return Ok(None);
    }
    let mut args = directory.read(c"cmdline", ProcessInfo::ARGS).unwrap_or_default();
    let length = args
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    args.truncate(length);
    let membership = cgroup::parse(&directory.read(c"cgroup", CGROUP_BYTES).unwrap_or_default());
    let inner_pid = status::inner_pid(&directory.read(c"status", STATUS_BYTES).unwrap_or_default());
    Ok(Some(ProcessInfo {
        args,
        unit: membership.unit,
        container: membership.container,
        inner_pid,
    }))
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
