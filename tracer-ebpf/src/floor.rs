//! The least that programs on these hooks can cost; measured by `cargo xtask bench kernel`, part of nothing else.
//!
//! Names are what the meter looks for: `e_` programs are empty, `r_` programs put into a ring what must reach user space
//! of a connection (an opening and a close of each end), unwritten and unfiltered. The hook follows the prefix.

#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    macros::{btf_tracepoint, fentry, fexit, map},
    maps::RingBuf,
    programs::{BtfTracePointContext, FEntryContext, FExitContext},
};
use tracer_common::event::{Change, Opened};

#[map]
static RING: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

macro_rules! empty {
    ($($kind:ident $context:ty: $function:literal $name:ident;)*) => {
        $(#[$kind(function = $function)]
        fn $name(_: $context) -> i32 {
            0
        })*
    };
}

macro_rules! ring {
    ($($kind:ident $context:ty: $function:literal $name:ident $record:ty;)*) => {
        $(#[$kind(function = $function)]
        fn $name(_: $context) -> i32 {
            if let Some(entry) = RING.reserve::<$record>(0) {
                entry.submit(u64::from(BPF_RB_NO_WAKEUP));
            }
            0
        })*
    };
}

empty! {
    fentry FEntryContext: "tcp_connect" e_tcp_connect;
    fexit FExitContext: "inet_csk_accept" e_inet_csk_accept;
    fentry FEntryContext: "security_sock_graft" e_security_sock_graft;
    fentry FEntryContext: "tcp_close" e_tcp_close;
    btf_tracepoint BtfTracePointContext: "inet_sock_set_state" e_inet_sock_set_state;
    btf_tracepoint BtfTracePointContext: "tcp_destroy_sock" e_tcp_destroy_sock;
}

ring! {
    fentry FEntryContext: "tcp_connect" r_tcp_connect Opened;
    fexit FExitContext: "inet_csk_accept" r_inet_csk_accept Opened;
    fentry FEntryContext: "tcp_close" r_tcp_close Change;
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// As for the tracer's programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
