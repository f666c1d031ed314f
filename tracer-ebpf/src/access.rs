//! The only place that reads kernel memory.

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};

use crate::globals::Offset;

/// A kernel pointer, typed only by what the verifier knows of it.
pub type KernelPtr = *const u8;

/// How to read a field of a kernel structure.
pub trait Access {
    /// The value at `base + offset`; `None` when the address cannot be read.
    fn load<T: Copy>(base: KernelPtr, offset: &Offset) -> Option<T>;

    /// Copies 16 bytes from `base + offset` to `into`.
    ///
    /// # Safety
    /// `into` must be valid for writing.
    unsafe fn copy16(base: KernelPtr, offset: &Offset, into: *mut [u64; 2]) -> Option<()>;
}

/// Plain loads. For pointers whose type the verifier knows (`PTR_TO_BTF_ID`: arguments of fentry, fexit and
/// `tp_btf` programs, and what is reached from them); it checks size and bounds against BTF, and a fault reads 0.
pub struct Trusted;

impl Access for Trusted {
    #[inline(always)]
    fn load<T: Copy>(base: KernelPtr, offset: &Offset) -> Option<T> {
        let field = base.wrapping_add(offset.load() as usize);
        // SAFETY: the verifier admits this load only where the field exists; the kernel handles a fault.
        Some(unsafe { field.cast::<T>().read_volatile() })
    }

    #[inline(always)]
    unsafe fn copy16(base: KernelPtr, offset: &Offset, into: *mut [u64; 2]) -> Option<()> {
        let first = Self::load::<u64>(base, offset)?;
        let second = Self::load::<u64>(base.wrapping_add(size_of::<u64>()), offset)?;
        // SAFETY: the caller's promise.
        unsafe { into.write([first, second]) };
        Some(())
    }
}

/// Checked copies through a helper. For pointers that come out of registers (kprobes) or out of untyped memory.
pub struct Probed;

impl Probed {
    /// The value at `address`; `None` when it cannot be read.
    #[inline(always)]
    pub fn read<T: Copy>(address: KernelPtr) -> Option<T> {
        // SAFETY: the helper copies with faults handled, from any address.
        unsafe { bpf_probe_read_kernel(address.cast::<T>()) }.ok()
    }
}

impl Access for Probed {
    #[inline(always)]
    fn load<T: Copy>(base: KernelPtr, offset: &Offset) -> Option<T> {
        Self::read(base.wrapping_add(offset.load() as usize))
    }

    #[inline(always)]
    unsafe fn copy16(base: KernelPtr, offset: &Offset, into: *mut [u64; 2]) -> Option<()> {
        let field = base.wrapping_add(offset.load() as usize);
        // SAFETY: the helper copies with faults handled, from any address; the target is the caller's promise.
        let failed = unsafe { generated::bpf_probe_read_kernel(into.cast(), 16, field.cast()) };
        (failed == 0).then_some(())
    }
}
