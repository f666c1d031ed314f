//! Iterators: what is there already, read through a file (`Documentation/bpf/bpf_iterators.rst`).

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_jiffies64, bpf_ktime_get_boot_ns, bpf_seq_write, bpf_sock_from_file},
};
use tracer_common::{
    snapshot::{HeldRow, ROW_BYTES},
    socket::{IPPROTO_TCP, SockRecord, stage, tcp},
};

use crate::{
    access::{Access as _, KernelPtr, Probed, Trusted},
    admit,
    counters::next_id,
    globals::{
        OFF_BACKLOG, OFF_BYTES_ACKED, OFF_BYTES_RECEIVED, OFF_ITER_SEQ, OFF_LAST_RECEIVED, OFF_LAST_SENT,
        OFF_MAX_BACKLOG, OFF_SOCKET_SK,
    },
    maps::SOCKS,
    sock::Sock,
    task::Task,
};

/// `struct bpf_iter__task_file` (`kernel/bpf/task_iter.c`): every member takes eight bytes.
#[repr(C)]
struct TaskFile {
    meta: KernelPtr,
    task: KernelPtr,
    fd: u64,
    file: KernelPtr,
}

/// Every descriptor of every process, of all network namespaces. Threads that share their leader's descriptors are
/// passed over by the iterator itself (`task_seq_get_next`).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn it_task_file(ctx: *const TaskFile) -> i32 {
    // SAFETY: the context is valid for the run. One member at a time: the verifier gives each load its type.
    let (meta, task) = (unsafe { (*ctx).meta }, unsafe { (*ctx).task });
    // SAFETY: as above.
    let (fd, file) = (unsafe { (*ctx).fd }, unsafe { (*ctx).file });
    // The last call of a pass comes without a file.
    if !task.is_null() && !file.is_null() {
        let _: Option<()> = held(meta, task, fd, file);
    }
    0
}

#[inline(always)]
fn held(meta: KernelPtr, task: KernelPtr, fd: u64, file: KernelPtr) -> Option<()> {
    // SAFETY: the helper takes any file.
    let socket: KernelPtr = unsafe { bpf_sock_from_file(file.cast_mut().cast()) }
        .cast_const()
        .cast();
    if socket.is_null() {
        return None;
    }
    let base: KernelPtr = Trusted::load(socket, &OFF_SOCKET_SK)?;
    if base.is_null() {
        return None;
    }
    let sock = Sock::<Trusted>::new(base);
    let (family, state, remote_port) = (sock.family()?, sock.state()?, sock.remote_port()?);
    // Sockets that were never connected have no remote port; nor have listeners.
    let is_tcp = sock.protocol()? == IPPROTO_TCP;
    if !is_tcp || (remote_port == 0 && state != tcp::LISTEN) {
        return None;
    }
    let task = Task::at(task)?;
    let tgid = task.tgid()?;
    if !admit::held(&task, tgid, sock) {
        return None;
    }
    let mut row = MaybeUninit::<HeldRow>::zeroed();
    let row = row.as_mut_ptr();
    macro_rules! field {
        ($field:ident) => {
            // SAFETY: the row is live; nothing is read.
            unsafe { &raw mut (*row).$field }
        };
    }
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let (field, value) = (field!($field), $value);
            // SAFETY: a field of a live row that is exclusively ours.
            unsafe { field.write(value) };
        }};
    }
    let (local, remote, comm) = (field!(local).cast(), field!(remote).cast(), field!(comm).cast());
    // SAFETY: the field is 16 bytes of a live row, at an offset divisible by 8.
    unsafe { sock.local(family, local) }?;
    // SAFETY: as above.
    unsafe { sock.remote(family, remote) }?;
    // SAFETY: as above.
    unsafe { task.comm(comm) }?;
    // SAFETY: the helper has no preconditions.
    set!(ts, unsafe { bpf_ktime_get_boot_ns() });
    // SAFETY: the helper has no preconditions.
    set!(jiffies, unsafe { bpf_jiffies64() });
    set!(start, task.start()?);
    set!(tgid, tgid);
    set!(fd, u32::try_from(fd).unwrap_or(u32::MAX));
    set!(netns, sock.netns()?);
    set!(local_port, sock.accepted_port()?);
    set!(remote_port, remote_port);
    set!(state, state);
    if state == tcp::LISTEN {
        set!(backlog, Trusted::load::<u32>(base, &OFF_BACKLOG)?);
        set!(max_backlog, Trusted::load::<u32>(base, &OFF_MAX_BACKLOG)?);
    } else {
        set!(id, identify(sock.key()));
        // `struct tcp_sock` begins with the socket, but the verifier knows only the socket's type.
        set!(bytes_acked, Probed::load::<u64>(base, &OFF_BYTES_ACKED)?);
        set!(bytes_received, Probed::load::<u64>(base, &OFF_BYTES_RECEIVED)?);
        set!(last_sent, Probed::load::<u32>(base, &OFF_LAST_SENT)?);
        set!(last_received, Probed::load::<u32>(base, &OFF_LAST_RECEIVED)?);
    }
    let seq: KernelPtr = Trusted::load(meta, &OFF_ITER_SEQ)?;
    // SAFETY: the row is initialised and as long as said. If the file's buffer is full the kernel calls again
    // (`bpf_seq_read`, kernel/bpf/bpf_iter.c).
    let _: i64 = unsafe { bpf_seq_write(seq.cast_mut().cast(), row.cast_const().cast(), ROW_BYTES) };
    Some(())
}

/// The socket's connection id; 0 if the table is full. A socket that is not tracked yet is from now on, so that its
/// close will be seen.
#[inline(always)]
fn identify(key: u64) -> u64 {
    if let Some(id) = known(key) {
        return id;
    }
    let id = next_id();
    let found = SockRecord {
        id,
        stage: stage::FOUND,
    };
    // What a probe entered meanwhile is better than what is entered here.
    match SOCKS.insert(key, found, u64::from(BPF_NOEXIST)) {
        Ok(()) => id,
        Err(_) => known(key).unwrap_or(0),
    }
}

#[inline(always)]
fn known(key: u64) -> Option<u64> {
    // SAFETY: the value is only replaced as a whole by these programs, and copied here.
    unsafe { SOCKS.get(key) }.map(|record| record.id)
}
