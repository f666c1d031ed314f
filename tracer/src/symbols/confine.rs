//! What the two halves of the helper give up before they look at anything of others.
//!
//! The one that fetches files keeps the privileges to open them. The one that parses them keeps nothing: no file but those
//! that it is handed, no user, no capability, no system call but those that reading takes. No Landlock: it would judge
//! the paths of the files that are handed over when they are opened once more (`landlock_file_open`,
//! `security/landlock/fs.c`), which lie in any mount namespace; after the change of root there are no other paths.

use std::{collections::BTreeMap, env::consts::ARCH, ffi::CStr};

use anyhow::{Context as _, ensure};
use rustix::{
    fs::Gid,
    process::{
        Resource, Rlimit, Signal, Uid, chdir, chroot, geteuid, set_parent_process_death_signal, setrlimit,
    },
    thread::{
        CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
        set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

/// Bytes of memory that a half may write: a file of debug information can ask for any amount.
const MEMORY: u64 = 768 << 20;
/// The user and group that owns nothing (`DEFAULT_OVERFLOWUID`, `include/linux/highuid.h`).
const NOBODY: u32 = 65534;

/// For the half that opens files of others: keeps the capabilities that this takes, and writes no file longer than
/// `longest`.
///
/// # Errors
/// When something cannot be given up.
pub fn fetcher(longest: u64) -> anyhow::Result<()> {
    limit(longest)?;
    set_no_new_privs(true)?;
    // To read the directories of other processes, their files, and files that are deleted.
    let needed =
        CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH | CapabilitySet::CHECKPOINT_RESTORE;
    keep(capabilities(None)?.permitted & needed)
}

/// For the half that parses; returns where its open files have names from now on.
///
/// Root must be able to give up everything. Other users have less to give up: they keep their user, and their root if
/// they may not change it.
///
/// # Errors
/// When something cannot be given up.
pub fn parser() -> anyhow::Result<&'static str> {
    limit(0)?;
    let held = capabilities(None)?.effective;
    let is_root = geteuid().is_root();
    let mut files = "/proc/self/fd";
    if is_root || held.contains(CapabilitySet::SYS_CHROOT) {
        own_directory_only().context("cannot change the root directory")?;
        files = "/fd";
    }
    if is_root || held.contains(CapabilitySet::SETPCAP) {
        empty_bounding_set().context("cannot empty the bounding set")?;
    }
    if is_root {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        set_thread_groups(&[]).context("cannot leave groups")?;
        set_thread_res_gid(group, group, group).context("cannot change the group")?;
        set_thread_res_uid(user, user, user).context("cannot change the user")?;
    }
    clear_ambient_capability_set()?;
    keep(CapabilitySet::empty())?;
    // A change of user has cleared it (`commit_creds`, `kernel/cred.c`).
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_no_new_privs(true)?;
    apply_filter_all_threads(&filter(SeccompAction::KillProcess)?)?;
    Ok(files)
}

fn limit(longest_file: u64) -> rustix::io::Result<()> {
    let limits = [
        (Resource::Data, MEMORY),
        (Resource::Core, 0),
        (Resource::Fsize, longest_file),
    ];
    limits.into_iter().try_for_each(|(resource, value)| {
        let limit = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, limit)
    })
}

/// Makes the own directory in `/proc` the root. All that has a name then is the process itself; the names of its open
/// files lead to them wherever these lie. A process that has changed its user may still follow them
/// (`proc_fd_permission`, `fs/proc/fd.c`, and `__ptrace_may_access`, `kernel/ptrace.c`, make an exception for itself),
/// and what a file lets its user read is asked anew.
fn own_directory_only() -> rustix::io::Result<()> {
    const OWN: &CStr = c"/proc/self";
    chroot(OWN)?;
    chdir(c"/")
}

fn empty_bounding_set() -> rustix::io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability)?,
            Ok(false) => {}
            // The kernel knows no more.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn keep(kept: CapabilitySet) -> anyhow::Result<()> {
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).context("cannot drop capabilities")?;
    ensure!(capabilities(None)? == sets, "capabilities are left");
    Ok(())
}

/// The system calls of a process that reads what it is handed; `otherwise` is what becomes of any other.
fn filter(otherwise: SeccompAction) -> anyhow::Result<BpfProgram> {
    let free = [
        // Messages, files.
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_readv,
        libc::SYS_lseek,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_recvmsg,
        libc::SYS_sendmsg,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_readlinkat,
        // Memory.
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        // What the standard library does besides.
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        free.into_iter().map(|call| (call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend([libc::SYS_readlink, libc::SYS_stat, libc::SYS_lstat].map(|call| (call, Vec::new())));
    // To read, and to make nothing.
    let writing = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE | libc::O_APPEND;
    let writing = writing & !libc::O_DIRECTORY;
    rules.insert(libc::SYS_openat, vec![without(2, writing)?]);
    // Memory to run things in is refused.
    rules.insert(libc::SYS_mmap, vec![without(2, libc::PROT_EXEC)?]);
    rules.insert(libc::SYS_mprotect, vec![without(2, libc::PROT_EXEC)?]);
    // Whether a file is to be closed at `exec`, and how it was opened.
    let asked = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL].map(|what| same(1, what));
    rules.insert(
        libc::SYS_fcntl,
        asked.into_iter().collect::<Result<_, anyhow::Error>>()?,
    );
    let filter = SeccompFilter::new(rules, otherwise, SeccompAction::Allow, ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

/// The argument has none of these bits.
fn without(argument: u8, bits: i32) -> anyhow::Result<SeccompRule> {
    let bits = u64::from(bits.cast_unsigned());
    rule(argument, SeccompCmpOp::MaskedEq(bits), 0)
}

fn same(argument: u8, value: i32) -> anyhow::Result<SeccompRule> {
    rule(argument, SeccompCmpOp::Eq, u64::from(value.cast_unsigned()))
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> anyhow::Result<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io, net::TcpStream, os::unix::net::UnixDatagram, process::Command, thread};

    use rustix::{
        fs::{Mode, OFlags, open},
        io::Errno,
        process::{Pid, test_kill_process},
    };
    use seccompiler::apply_filter;

    use super::*;

    /// In a thread that the filter holds for, refusing where the helper would be killed.
    fn filtered<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
        let filter = filter(SeccompAction::Errno(libc::EXDEV.cast_unsigned())).unwrap();
        let thread = thread::spawn(move || {
            apply_filter(&filter).unwrap();
            act()
        });
        thread.join().unwrap()
    }

    fn is_refused<T>(result: io::Result<T>) -> bool {
        result.is_err_and(|error| error.raw_os_error() == Some(libc::EXDEV))
    }

    #[test]
    fn reading_is_allowed() {
        filtered(|| {
            let file = File::open("/proc/self/exe").unwrap();
            assert!(file.metadata().unwrap().len() > 0);
            assert!(std::fs::canonicalize("/proc/self/exe").is_ok());
            assert!(std::fs::read("/proc/self/status").unwrap().len() > 100);
            assert_eq!(vec![1_u8; 64 << 20].len(), 64 << 20);
            // SAFETY: nobody changes the running program.
            assert!(unsafe { memmap2::Mmap::map(&file) }.is_ok());
        });
    }

    #[test]
    fn writing_and_making_files_is_refused() {
        for flags in [
            OFlags::WRONLY,
            OFlags::RDWR,
            OFlags::RDONLY | OFlags::TRUNC,
            OFlags::RDONLY | OFlags::CREATE,
            OFlags::RDWR | OFlags::TMPFILE,
        ] {
            let opened = filtered(move || open("/dev/null", flags, Mode::empty()).map(drop));
            assert_eq!(opened, Err(Errno::XDEV), "{flags:?}");
        }
        assert!(is_refused(filtered(|| std::fs::remove_file("/nonexistent"))));
    }

    #[test]
    fn the_network_other_processes_and_other_programs_are_out_of_reach() {
        assert!(is_refused(filtered(|| TcpStream::connect("127.0.0.1:1"))));
        assert!(is_refused(filtered(UnixDatagram::unbound)));
        assert!(is_refused(filtered(|| Command::new("/bin/true").spawn())));
        let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(filtered(move || test_kill_process(own)), Err(Errno::XDEV));
    }

    #[test]
    fn memory_to_run_things_in_is_refused() {
        let file = File::open("/proc/self/exe").unwrap();
        // SAFETY: nobody changes the running program.
        let map = filtered(move || unsafe { memmap2::MmapOptions::new().map_exec(&file) }.map(drop));
        assert!(is_refused(map));
    }
}
