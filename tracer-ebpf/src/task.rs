//! Processes.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_task_btf};
use tracer_common::event::{COMM_LEN, flag};

use crate::{
    access::{Access as _, KernelPtr, Probed, Trusted},
    globals::{OFF_COMM, OFF_FILES, OFF_LEADER, OFF_LIMITS, OFF_MM, OFF_SIGNAL, OFF_START, OFF_TGID},
};

/// A task, by a pointer whose type the verifier knows, and its process.
pub struct Task {
    base: KernelPtr,
    leader: KernelPtr,
}

impl Task {
    /// The current task. Only for hooks that run in the caller's context: in softirq it is whoever was interrupted.
    ///
    /// `bpf_get_current_task_btf` returns a typed pointer in every program type used here, so the fields are plain
    /// loads even in kprobes.
    #[inline(always)]
    pub fn current() -> Option<Self> {
        // SAFETY: the helper has no preconditions.
        Self::at(unsafe { bpf_get_current_task_btf() }.cast_const().cast())
    }

    /// The task at a typed pointer.
    #[inline(always)]
    pub fn at(base: KernelPtr) -> Option<Self> {
        let leader = Trusted::load(base, &OFF_LEADER)?;
        Some(Self { base, leader })
    }

    /// Its process id.
    #[inline(always)]
    pub fn tgid(&self) -> Option<u32> {
        Trusted::load(self.base, &OFF_TGID)
    }

    /// Process id of the current task. (`pid()` of a context would be the thread.)
    #[inline(always)]
    pub fn current_tgid() -> u32 {
        (bpf_get_current_pid_tgid() >> 32) as u32
    }

    /// Start time of the process, nanoseconds of `CLOCK_BOOTTIME`.
    #[inline(always)]
    pub fn start(&self) -> Option<u64> {
        Trusted::load(self.leader, &OFF_START)
    }

    /// Writes the name of the main thread: the name people know the process by, whichever thread makes the call.
    ///
    /// # Safety
    /// `into` must be valid for writing.
    #[inline(always)]
    pub unsafe fn comm(&self, into: *mut [u64; COMM_LEN / 8]) -> Option<()> {
        // SAFETY: the caller's promise.
        unsafe { Trusted::copy16(self.leader, &OFF_COMM, into) }
    }

    /// [`flag::KERNEL`] for kernel threads: they are the tasks without memory of their own.
    #[inline(always)]
    pub fn flags(&self) -> Option<u8> {
        let mm: u64 = Trusted::load(self.base, &OFF_MM)?;
        Some(if mm == 0 { flag::KERNEL } else { 0 })
    }

    /// Its soft limit of descriptors.
    #[inline(always)]
    pub fn descriptor_limit(&self) -> Option<u64> {
        /// Index of `RLIMIT_NOFILE` (`include/uapi/asm-generic/resource.h`), and bytes of a `struct rlimit`, which
        /// begins with the soft limit.
        const NOFILE: usize = 7 * 16;
        let signal: KernelPtr = Trusted::load(self.base, &OFF_SIGNAL)?;
        // The verifier lets nobody into an array of structures through a typed pointer.
        Probed::load(signal.wrapping_add(NOFILE), &OFF_LIMITS)
    }

    /// `files_struct` of the task.
    #[inline(always)]
    pub fn files(&self) -> Option<KernelPtr> {
        Trusted::load(self.base, &OFF_FILES)
    }
}
