//! The socket tracepoints, with typed arguments (`tp_btf`): every backend has them, for no trampoline is
//! involved.

use aya_ebpf::{
    EbpfContext as _,
    macros::{btf_tracepoint, cgroup_sock},
    programs::{BtfTracePointContext, SockContext},
};
use tracer_common::socket::{IPPROTO_TCP, tcp};

use crate::{
    access::{KernelPtr, Trusted},
    lifecycle,
    sock::Sock,
};

/// `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`
/// (`include/trace/events/sock.h`, from `inet_sk_set_state` and `inet_sk_state_store`, `net/ipv4/af_inet.c`).
#[btf_tracepoint(function = "inet_sock_set_state")]
fn tb_state(ctx: BtfTracePointContext) -> i32 {
    let (sock, from, to) = arguments(&ctx);
    lifecycle::state_changed(sock, from, to);
    0
}

/// Takes active opens from the change CLOSE to `SYN_SENT`, which `tcp_v4_connect` and `tcp_v6_connect` make in the context
/// of the connecting process with the remote address already set. Not a part of [`tb_state`]: the kernel skips a program
/// that an interrupt brings while the same one runs (`__bpf_trace_run`, `kernel/trace/bpf_trace.c`), and this one runs
/// long.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn tb_open(ctx: BtfTracePointContext) -> i32 {
    let (sock, _, to) = arguments(&ctx);
    if to == tcp::SYN_SENT && sock.protocol() == Some(IPPROTO_TCP) {
        lifecycle::connecting(&ctx, sock);
    }
    0
}

#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "TCP states are 1 to 13"
)]
fn arguments(ctx: &BtfTracePointContext) -> (Sock<Trusted>, u8, u8) {
    let from: i32 = ctx.arg(1);
    let to: i32 = ctx.arg(2);
    (Sock::new(ctx.arg::<KernelPtr>(0)), from as u8, to as u8)
}

/// `tcp_destroy_sock(struct sock *sk)` (`include/trace/events/tcp.h`, from `tcp_v4_destroy_sock`,
/// `net/ipv4/tcp_ipv4.c`): nothing is left of the socket.
#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tb_destroy(ctx: BtfTracePointContext) -> i32 {
    let sock = Sock::<Trusted>::new(ctx.arg::<KernelPtr>(0));
    lifecycle::destroyed(sock.key());
    0
}

/// `inet_release` (`net/ipv4/af_inet.c`) on the last reference, just before `tcp_close`. The context is the
/// socket itself (`__cgroup_bpf_run_filter_sk`, `kernel/bpf/cgroup.c`), so its address is the key.
#[cgroup_sock(sock_release)]
fn cg_release(ctx: SockContext) -> i32 {
    // SAFETY: the context is valid for the run; the verifier turns this into a load of `skc_state`.
    let state = unsafe { (*ctx.sock).state };
    let _: lifecycle::Known = lifecycle::released(ctx.as_ptr() as u64, u8::try_from(state).unwrap_or(0));
    1
}
