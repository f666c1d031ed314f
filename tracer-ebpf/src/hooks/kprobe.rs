//! Kprobes: where trampolines are refused. The functions are those of [`fentry`](super::fentry).

use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use crate::{
    access::{KernelPtr, Probed},
    lifecycle::{self, Known},
    sock::Sock,
};

#[kprobe]
fn kp_tcp_connect(ctx: ProbeContext) -> u32 {
    if let Some(sock) = ctx.arg::<KernelPtr>(0) {
        lifecycle::connecting(&ctx, Sock::<Probed>::new(sock));
    }
    0
}

#[kretprobe]
fn kr_csk_accept(ctx: RetProbeContext) -> u32 {
    let sock = ctx.ret::<KernelPtr>();
    if !sock.is_null() {
        lifecycle::returned(&ctx, Sock::<Probed>::new(sock));
    }
    0
}

#[kprobe]
fn kp_sock_graft(ctx: ProbeContext) -> u32 {
    if let Some(sock) = ctx.arg::<KernelPtr>(0) {
        lifecycle::grafted(&ctx, Sock::<Probed>::new(sock));
    }
    0
}

#[kprobe]
fn kp_tcp_close(ctx: ProbeContext) -> u32 {
    if let Some(sock) = ctx.arg::<KernelPtr>(0) {
        let sock = Sock::<Probed>::new(sock);
        if lifecycle::released(sock.key(), sock.state().unwrap_or(0)) == Known::No {
            lifecycle::unknown_close(sock);
        }
    }
    0
}
