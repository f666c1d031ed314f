//! Reads the descriptors of all processes.

use std::{
    collections::HashSet,
    ffi::CStr,
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
};

use rustix::{
    fs::{FileType, Mode, OFlags, RawDir, fstat, getxattr, open, openat, readlinkat_raw},
    io::{Errno, Result},
    time::{ClockId, clock_gettime},
};

use super::tables::{Descriptor, Table};
use crate::{
    model::time::Time,
    procfs::{limits, link, process::Directory},
};

/// The file has 16 lines.
const LIMITS_BYTES: usize = 4096;
/// TCP sockets that are noted in one pass, over all processes.
const SOCKETS: usize = 1 << 20;

/// Now, as the kernel programs stamp it.
pub fn now() -> Time {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    Time(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The numbers of all processes.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processes() -> Result<Vec<u32>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = open(c"/proc", flags, Mode::empty())?;
    let mut processes = Vec::new();
    each_number(proc.as_fd(), |pid, _| processes.push(pid))?;
    Ok(processes)
}

/// Descriptors of processes.
#[derive(Default)]
pub struct Walk {
    /// Sockets that are not TCP, from earlier passes: a socket never becomes another kind.
    foreign: HashSet<u64>,
}

/// What one pass finds.
#[derive(Default)]
pub struct Walked {
    /// Of each process that holds TCP sockets.
    pub tables: Vec<Table>,
    /// Processes whose descriptors could not be read, or not all.
    pub unreadable: u64,
}

impl Walk {
    /// Reads the descriptors of these processes; `tcp` are the inodes of the TCP sockets that are known.
    pub fn read(&mut self, processes: &[u32], tcp: &HashSet<u64>) -> Walked {
        let mut pass = Pass {
            tcp,
            foreign_before: &self.foreign,
            foreign: HashSet::new(),
            sockfs: None,
            room: SOCKETS,
        };
        let mut walked = Walked::default();
        for &pid in processes {
            match pass.table(pid) {
                Ok(table) => walked.tables.extend(table),
                // Gone meanwhile.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(_) => walked.unreadable += 1,
            }
        }
        self.foreign = pass.foreign;
        walked
    }
}

struct Pass<'a> {
    tcp: &'a HashSet<u64>,
    foreign_before: &'a HashSet<u64>,
    foreign: HashSet<u64>,
    /// The device number of the file system that all sockets are in.
    sockfs: Option<u64>,
    room: usize,
}

impl Pass<'_> {
    /// The descriptors of a process; `None` if it holds no TCP socket.
    fn table(&mut self, pid: u32) -> Result<Option<Table>> {
        let directory = Directory::open(pid)?;
        let descriptors = directory.open_descriptors()?;
        let mut used: u32 = 0;
        let mut sockets = Vec::new();
        let mut refused = Ok(());
        each_number(descriptors.as_fd(), |fd, name| {
            used = used.saturating_add(1);
            match self.tcp_socket(descriptors.as_fd(), name) {
                Ok(Some(inode)) => sockets.push(Descriptor { fd, inode }),
                Ok(None) => {}
                Err(error) => refused = Err(error),
            }
        })?;
        if refused.is_err() {
            // The links of a process that is gone refuse, too; its `stat` says that it is.
            directory.stat()?;
        }
        refused?;
        if sockets.is_empty() {
            return Ok(None);
        }
        self.room = self.room.checked_sub(sockets.len()).ok_or(Errno::NOMEM)?;
        let stat = directory.stat()?;
        let limit = directory.read(c"limits", LIMITS_BYTES);
        Ok(Some(Table {
            process: stat.process(pid),
            comm: stat.comm,
            used,
            limit: limit.ok().and_then(|file| limits::open_files(&file)),
            sockets,
            at: now(),
        }))
    }

    /// The inode of a descriptor, if it is a TCP socket. A process of the same user may be listed and not looked into,
    /// if it has capabilities that this one has not: the list goes by its owner (`proc_fd_permission`, `fs/proc/fd.c`),
    /// each link by `ptrace_may_access` (`proc_pid_readlink`, `fs/proc/base.c`).
    fn tcp_socket(&mut self, descriptors: BorrowedFd<'_>, name: &CStr) -> Result<Option<u64>> {
        let mut buffer = [MaybeUninit::uninit(); 32];
        let target = match readlinkat_raw(descriptors, name, &mut buffer) {
            Ok((target, _)) => target,
            Err(refused @ (Errno::ACCESS | Errno::PERM)) => return Err(refused),
            // Gone meanwhile.
            Err(_) => return Ok(None),
        };
        let Some(inode) = link::inode(target, "socket") else {
            return Ok(None);
        };
        if self.tcp.contains(&inode) {
            return Ok(Some(inode));
        }
        if !self.foreign_before.contains(&inode) {
            match self.is_tcp(descriptors, name, inode) {
                Ok(true) => return Ok(Some(inode)),
                Ok(false) => {}
                // Gone meanwhile, or not to be told.
                Err(_) => return Ok(None),
            }
        }
        self.foreign.insert(inode);
        Ok(None)
    }

    /// Asks the socket for its protocol (`sockfs_xattr_get`, `net/socket.c`). The descriptor may be another file by
    /// now, of a file system whose owner answers when he likes: so it is pinned first, and must be that socket.
    fn is_tcp(&mut self, descriptors: BorrowedFd<'_>, name: &CStr, inode: u64) -> Result<bool> {
        let pinned = openat(descriptors, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let stat = fstat(&pinned)?;
        let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        if !is_socket || stat.st_ino != inode || stat.st_dev != self.sockfs()? {
            return Err(Errno::NOENT);
        }
        let mut protocol = [0; 32];
        let length = getxattr(
            format!("/proc/self/fd/{}", pinned.as_raw_fd()),
            c"system.sockprotoname",
            &mut protocol,
        )?;
        let protocol = protocol.get(..length).unwrap_or_default();
        Ok(protocol.starts_with(b"TCP") || protocol.starts_with(b"MPTCP"))
    }

    fn sockfs(&mut self) -> Result<u64> {
        if let Some(device) = self.sockfs {
            return Ok(device);
        }
        let (socket, _) = std::os::unix::net::UnixStream::pair().map_err(|_| Errno::NOTSUP)?;
        let device = fstat(&socket)?.st_dev;
        self.sockfs = Some(device);
        Ok(device)
    }
}

/// Calls `f` for each entry of a directory whose name is a number.
fn each_number(directory: BorrowedFd<'_>, mut f: impl FnMut(u32, &CStr)) -> Result<()> {
    let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(number) = name.to_str().ok().and_then(|name| name.parse().ok()) {
            f(number, name);
        }
    }
    Ok(())
}
