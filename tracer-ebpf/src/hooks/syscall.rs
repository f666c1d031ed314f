//! Exits of accept and accept4, for kernels with neither trampolines nor kprobes. The socket is found through
//! the descriptor that the call returned. Accepts through `io_uring` and 32-bit `socketcall` do not pass here.

use aya_ebpf::{EbpfContext as _, macros::tracepoint, programs::TracePointContext};

use crate::{
    access::{Access as _, KernelPtr, Probed},
    globals::{OFF_EXIT_RET, OFF_FD, OFF_FDT, OFF_MAX_FDS, OFF_PRIVATE, OFF_SOCKET_FILE, OFF_SOCKET_SK},
    lifecycle,
    sock::{Sock, beneath},
    stacks::Place,
    task::Task,
};

#[tracepoint]
fn tp_accept(ctx: TracePointContext) -> u32 {
    accepted(&ctx)
}

#[tracepoint]
fn tp_accept4(ctx: TracePointContext) -> u32 {
    accepted(&ctx)
}

#[inline(always)]
fn accepted(ctx: &TracePointContext) -> u32 {
    let base: KernelPtr = ctx.as_ptr().cast_const().cast();
    let Some(result) = Probed::load::<i64>(base, &OFF_EXIT_RET) else {
        return 0;
    };
    // A negative result is an error: nothing was accepted.
    let Ok(fd) = u32::try_from(result) else { return 0 };
    if let Some(sock) = socket_behind(fd) {
        lifecycle::accepted(ctx, Sock::<Probed>::new(sock), Place::Accept);
    }
    0
}

/// The `struct sock` behind a descriptor of the current task. Another thread may close the descriptor and put
/// another file in its place at any time: what is not a socket that points back at its file is refused.
#[inline(always)]
fn socket_behind(fd: u32) -> Option<KernelPtr> {
    let files = Task::current()?.files()?;
    let table: KernelPtr = Probed::load(files, &OFF_FDT)?;
    let size: u32 = Probed::load(table, &OFF_MAX_FDS)?;
    if fd >= size {
        return None;
    }
    let slots: KernelPtr = Probed::load(table, &OFF_FD)?;
    let slot = slots.wrapping_add(fd as usize * size_of::<u64>());
    let file: KernelPtr = Probed::read(slot)?;
    let socket: KernelPtr = Probed::load(file, &OFF_PRIVATE)?;
    let back: KernelPtr = Probed::load(socket, &OFF_SOCKET_FILE)?;
    if file.is_null() || back != file {
        return None;
    }
    let sock: KernelPtr = Probed::load(socket, &OFF_SOCKET_SK)?;
    if sock.is_null() {
        return None;
    }
    let protocol = Sock::<Probed>::new(sock).protocol()?;
    Some(beneath(sock, protocol).unwrap_or(sock))
}
