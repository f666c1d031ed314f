//! One process in `/proc`, pinned: its number may be given to another process, this directory is not.

use std::{ffi::CStr, mem::MaybeUninit, os::fd::OwnedFd};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, open, openat, openat2, readlinkat_raw},
    io::{Errno, Result, read},
};

use super::{link, stat::Stat};
use crate::model::connection::ProcessId;

/// More than any `stat` file has.
const STAT_BYTES: usize = 2048;
/// Longer than any link that names an inode.
const LINK_BYTES: usize = 64;

/// Whether a process is gone, or is only waited for by its parent. What cannot be read counts as there.
pub fn has_exited(process: ProcessId) -> bool {
    if process == ProcessId::KERNEL || process == ProcessId::OTHER {
        return false;
    }
    let stat = Directory::open(process.pid).and_then(|directory| directory.read(c"stat", STAT_BYTES));
    match stat {
        Ok(stat) => Stat::parse(&stat).is_some_and(|stat| stat.is_dead || !stat.start.fits(process.start)),
        Err(error) => matches!(error, Errno::NOENT | Errno::SRCH),
    }
}

/// The directory of a process. When the process is gone, reads of it fail, whoever has its number by then
/// (`get_proc_task`, `fs/proc/internal.h`, goes by the `struct pid`).
pub struct Directory(OwnedFd);

impl Directory {
    /// Opens it.
    ///
    /// # Errors
    /// When there is no such process, or it is hidden from this one.
    pub fn open(pid: u32) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(format!("/proc/{pid}"), flags, Mode::empty()).map(Self)
    }

    /// Opens that of the calling thread.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn own_thread() -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(c"/proc/thread-self", flags, Mode::empty()).map(Self)
    }

    /// The first `limit` bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read, for one because the process is gone.
    pub fn read(&self, name: &CStr, limit: usize) -> Result<Vec<u8>> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        while bytes.len() < limit {
            match read(&file, &mut chunk) {
                Ok(0) => break,
                Ok(length) => bytes.extend(chunk.iter().take(length)),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(limit);
        Ok(bytes)
    }

    /// Its name and start.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn stat(&self) -> Result<Stat> {
        Stat::parse(&self.read(c"stat", STAT_BYTES)?).ok_or(Errno::BADMSG)
    }

    /// Whether this is the directory of that process, and not of one that has its number now.
    pub fn is_of(&self, process: ProcessId) -> bool {
        self.stat().is_ok_and(|stat| stat.start.fits(process.start))
    }

    /// The inode number of its network namespace (that of the main thread).
    ///
    /// # Errors
    /// When it may not be read.
    pub fn netns(&self) -> Result<u32> {
        let mut buffer = [MaybeUninit::uninit(); LINK_BYTES];
        let (target, _) = readlinkat_raw(&self.0, c"ns/net", &mut buffer)?;
        link::inode(target, "net")
            .and_then(|inode| inode.try_into().ok())
            .ok_or(Errno::BADMSG)
    }

    /// Opens its network namespace.
    ///
    /// # Errors
    /// When it may not be opened.
    pub fn open_netns(&self) -> Result<OwnedFd> {
        openat(
            &self.0,
            c"ns/net",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }

    /// Names a file as the process sees it: inside its container. Opens nothing, so that it may be anything.
    ///
    /// # Errors
    /// When it is not there, or must not be seen.
    pub fn in_root(&self, path: &[u8]) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(&self.0, c"root", flags, Mode::empty())?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        // Links inside lead nowhere else.
        openat2(
            root,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }

    /// Names the file behind a mapping, also one that is deleted.
    ///
    /// # Errors
    /// When there is none, or it must not be seen.
    pub fn mapped(&self, start: u64, end: u64) -> Result<OwnedFd> {
        let path = format!("map_files/{start:x}-{end:x}");
        openat(&self.0, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    }

    /// Opens the directory that lists its descriptors.
    ///
    /// # Errors
    /// When it may not be opened.
    pub fn open_descriptors(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.0, c"fd", flags, Mode::empty())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::model::time::Time;

    #[test]
    fn files_are_read_up_to_the_limit() {
        let own = Directory::open(std::process::id()).unwrap();
        let whole = own.read(c"status", 1 << 20).unwrap();
        assert_eq!(own.read(c"status", 10).unwrap(), whole[..10]);
        assert!(whole.len() > 10 && whole.starts_with(b"Name:"));
    }

    #[test]
    fn a_process_is_told_from_one_of_another_start() {
        let own = Directory::open(std::process::id()).unwrap();
        let process = own.stat().unwrap().process(std::process::id());
        assert!(own.is_of(process));
        let later = ProcessId {
            start: Time(process.start.0 + 1_000_000_000),
            ..process
        };
        assert!(!own.is_of(later));
    }

    #[test]
    fn a_process_that_is_gone_reads_as_gone() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let directory = Directory::open(child.id()).unwrap();
        assert!(directory.stat().is_ok());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(directory.stat(), Err(Errno::SRCH));
    }
}
