//! The kernel programs.
//!
//! `hooks/` holds one thin shell per hook type; the shells call the bodies in [`lifecycle`], which are generic
//! over how kernel memory is read ([`access`]). What is worth tracking is decided once, at open ([`admit`]);
//! later events of a socket that is not in the table cost one map lookup.

#![no_std]
#![no_main]
// Atomic additions exist only as assembly on this target; see `counters`.
#![feature(asm_experimental_arch)]
#![expect(
    clippy::inline_always,
    reason = "a function that is not inlined is verified for itself, without what its caller knows, and before \
              Linux 5.10 may not see helpers' maps; everything here is small and called from few places"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "the program macros pass contexts by value"
)]

mod access;
mod admit;
mod atomic;
mod counters;
mod emit;
mod globals;
mod hooks;
mod lifecycle;
mod maps;
mod sock;
mod stacks;
mod table;
mod task;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Several helpers (`bpf_probe_read_kernel`, `bpf_get_current_task_btf`) are reserved to GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
