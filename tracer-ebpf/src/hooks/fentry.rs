//! Trampoline programs: the first choice (`docs/architecture.md`, backends).

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::{
    access::{KernelPtr, Trusted},
    lifecycle::{self, Known},
    sock::Sock,
};

/// `int tcp_connect(struct sock *sk)` (`net/ipv4/tcp_output.c`): the four addresses are set, the SYN is next.
#[fentry(function = "tcp_connect")]
fn fe_tcp_connect(ctx: FEntryContext) -> i32 {
    lifecycle::connecting(&ctx, Sock::<Trusted>::new(ctx.arg::<KernelPtr>(0)));
    0
}

/// `struct sock *inet_csk_accept(struct sock *sk, struct proto_accept_arg *arg)` (Linux 6.10 and newer,
/// `net/ipv4/inet_connection_sock.c`). The returned socket follows the arguments in the context, with its type.
#[fexit(function = "inet_csk_accept")]
fn fx_accept_2(ctx: FExitContext) -> i32 {
    accepted(&ctx, 2)
}

/// `struct sock *inet_csk_accept(struct sock *sk, int flags, int *err, bool kern)` (before Linux 6.10).
#[fexit(function = "inet_csk_accept")]
fn fx_accept_4(ctx: FExitContext) -> i32 {
    accepted(&ctx, 4)
}

#[inline(always)]
fn accepted(ctx: &FExitContext, return_index: usize) -> i32 {
    let sock = ctx.arg::<KernelPtr>(return_index);
    if !sock.is_null() {
        lifecycle::returned(ctx, Sock::<Trusted>::new(sock));
    }
    0
}

/// `void security_sock_graft(struct sock *sk, struct socket *parent)` (`security/security.c`), which `inet_accept` calls
/// through `sock_graft` in the context of the accepting process.
#[fentry(function = "security_sock_graft")]
fn fe_sock_graft(ctx: FEntryContext) -> i32 {
    lifecycle::grafted(&ctx, Sock::<Trusted>::new(ctx.arg::<KernelPtr>(0)));
    0
}

/// `void tcp_close(struct sock *sk, long timeout)` (`net/ipv4/tcp.c`): the last reference of a process is gone.
#[fentry(function = "tcp_close")]
fn fe_tcp_close(ctx: FEntryContext) -> i32 {
    let sock = Sock::<Trusted>::new(ctx.arg::<KernelPtr>(0));
    if lifecycle::released(sock.key(), sock.state().unwrap_or(0)) == Known::No {
        lifecycle::unknown_close(sock);
    }
    0
}
