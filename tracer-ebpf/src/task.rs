//! The current process. Only for hooks that run in the caller's context: in softirq the current task is
//! whoever was interrupted.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_task_btf};
use tracer_common::event::{COMM_LEN, flag};

use crate::{
    access::{Access as _, KernelPtr, Trusted},
    globals::{OFF_COMM, OFF_FILES, OFF_LEADER, OFF_MM, OFF_START},
};

/// The current task. `bpf_get_current_task_btf` returns a typed pointer in every program type used here, so its
/// fields are plain loads even in kprobes.
pub struct CurrentTask {
    base: KernelPtr,
    leader: KernelPtr,
}

impl CurrentTask {
    #[inline(always)]
    pub fn get() -> Option<Self> {
        // SAFETY: the helper has no preconditions.
        let base: KernelPtr = unsafe { bpf_get_current_task_btf() }.cast_const().cast();
        let leader = Trusted::load(base, &OFF_LEADER)?;
        Some(Self { base, leader })
    }

    /// Process id. (`pid()` of a context would be the thread.)
    #[inline(always)]
    pub fn tgid() -> u32 {
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

    /// `files_struct` of the task.
    #[inline(always)]
    pub fn files(&self) -> Option<KernelPtr> {
        Trusted::load(self.base, &OFF_FILES)
    }
}
