//! Where the kernel's files are: BTF, tracefs, the cgroup v2 root.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};

/// The running kernel's type information.
pub const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";

const TRACEFS: &str = "/sys/kernel/tracing";

/// Sees to it that tracefs is mounted where it belongs, for this process at least.
///
/// The syscall tracepoints are named there. Where the host has not mounted it, a private mount namespace gets it:
/// nothing changes for anybody else. Must run while the process has one thread (a mount namespace is per thread
/// until then).
///
/// # Errors
/// When it is not mounted and this process may not mount it.
pub fn ensure_tracefs() -> io::Result<()> {
    if Path::new(TRACEFS).join("events").is_dir() {
        return Ok(());
    }
    // SAFETY: only the mount namespace is unshared, which invalidates no memory and no descriptor; the process has
    // one thread by this function's contract.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("tracefs", TRACEFS, "tracefs", MountFlags::empty(), None)?;
    Ok(())
}

/// The mount point of the cgroup v2 hierarchy, by `/proc/self/mounts`.
///
/// # Errors
/// When the mounts cannot be read or the hierarchy is not mounted.
pub fn cgroup2_root() -> io::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    cgroup2_in(&mounts).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "cgroup v2 is not mounted"))
}

/// Inode number of this process's network namespace; `None` if it cannot be told.
pub fn own_netns() -> Option<u32> {
    u32::try_from(fs::metadata("/proc/self/ns/net").ok()?.ino()).ok()
}

/// Number of ephemeral ports, from which the kernel chooses the local port of a connection, in this process's network
/// namespace; `None` if it cannot be read. The range counts for IPv6, too (`ip-sysctl.rst`).
pub fn ephemeral_ports() -> Option<u32> {
    ports_in(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

fn ports_in(range: &str) -> Option<u32> {
    let mut ends = range.split_ascii_whitespace();
    let (low, high): (u16, u16) = (ends.next()?.parse().ok()?, ends.next()?.parse().ok()?);
    Some(u32::from(high.checked_sub(low)?) + 1)
}

/// Finds the hierarchy in the text of a mount table (`proc_pid_mounts(5)`).
fn cgroup2_in(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_includes_both_ends() {
        assert_eq!(ports_in("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_in("5 5\n"), Some(1));
        assert_eq!(ports_in("60999 32768"), None);
        assert_eq!(ports_in(""), None);
    }

    #[test]
    fn the_unified_hierarchy_is_found_among_the_others() {
        let mounts =
            "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(cgroup2_in(mounts), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(cgroup2_in("proc /proc proc rw 0 0\n"), None);
        assert_eq!(cgroup2_in("half a line"), None);
    }
}
