//! Iterators: what is there already, read through a file (`Documentation/bpf/bpf_iterators.rst`).

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_boot_ns, bpf_seq_write, bpf_sock_from_file};
use tracer_common::{
    snapshot::{HeldRow, kind},
    socket::{IPPROTO_TCP, SockRecord, stage, tcp},
};

use zerocopy::IntoBytes;

use super::queue;
use crate::{
    access::{Access, KernelPtr, Probed, Trusted},
    admit,
    counters::next_id,
    globals::{
        OFF_BACKLOG, OFF_BYTES_ACKED, OFF_BYTES_RECEIVED, OFF_FILE_INODE, OFF_INODE_NUMBER, OFF_ITER_SEQ,
        OFF_ITER_SESSION, OFF_LAST_RECEIVED, OFF_LAST_SENT, OFF_MAX_BACKLOG, OFF_SOCKET_SK,
    },
    maps::{PASS, Pass},
    sock::{Sock, beneath},
    table,
    task::Task,
};

/// `struct bpf_iter__task_file` (`kernel/bpf/task_iter.c`): every member is aligned to eight bytes. What pads the
/// number is never written.
#[repr(C)]
struct TaskFile {
    meta: KernelPtr,
    task: KernelPtr,
    fd: u32,
    _padding: u32,
    file: KernelPtr,
}

/// Every descriptor of every process, of all network namespaces. Threads that share their leader's descriptors are
/// passed over by the iterator itself (`task_seq_get_next`).
///
/// When the file's buffer is full, what one run wrote is thrown away and the program runs again for the same
/// descriptor (`bpf_seq_read`, `kernel/bpf/bpf_iter.c`): it changes nothing of its own before all its rows are written.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn it_task_file(ctx: *const TaskFile) -> i32 {
    // SAFETY: the context is valid for the run. One member at a time: the verifier gives each load its type.
    let (meta, task) = (unsafe { (*ctx).meta }, unsafe { (*ctx).task });
    // SAFETY: as above.
    let (fd, file) = (unsafe { (*ctx).fd }, unsafe { (*ctx).file });
    let _: Option<()> = if task.is_null() || file.is_null() {
        // The last call of a pass.
        finish(meta)
    } else {
        visit(meta, task, fd, file)
    };
    0
}

#[inline(always)]
fn finish(meta: KernelPtr) -> Option<()> {
    let pass = PASS.get_ptr_mut(0)?;
    let seq: KernelPtr = Trusted::load(meta, &OFF_ITER_SEQ)?;
    close_process(seq, pass)
}

#[inline(always)]
fn visit(meta: KernelPtr, task: KernelPtr, fd: u32, file: KernelPtr) -> Option<()> {
    let pass = PASS.get_ptr_mut(0)?;
    let task = Task::at(task)?;
    let tgid = task.tgid()?;
    let seq: KernelPtr = Trusted::load(meta, &OFF_ITER_SEQ)?;
    let session: u64 = Trusted::load(meta, &OFF_ITER_SESSION)?;
    // SAFETY: the map value is live; a plain load of an aligned field.
    let is_new = unsafe { (*pass).session } != session;
    // SAFETY: as above.
    let is_next = is_new || unsafe { (*pass).row.tgid } != tgid;
    if is_next && !is_new {
        close_process(seq, pass)?;
    }
    let is_socket = held(seq, &task, tgid, fd, file)?;
    if is_next {
        open_process(pass, session, &task, tgid)?;
    }
    // SAFETY: the map value is live.
    let counted = unsafe { &raw mut (*pass).row.descriptors };
    // SAFETY: as above; one pass at a time writes it.
    unsafe { *counted += 1 };
    // SAFETY: as above.
    let sockets = unsafe { &raw mut (*pass).row.sockets };
    // SAFETY: as above.
    unsafe { *sockets += u32::from(is_socket) };
    Some(())
}

/// Writes the row of the process that the pass leaves, if it had any of the other rows; `None` if there was no room.
#[inline(always)]
fn close_process(seq: KernelPtr, pass: *mut Pass) -> Option<()> {
    // SAFETY: the map value is live; a plain load of an aligned field.
    if unsafe { (*pass).row.sockets } == 0 {
        return Some(());
    }
    // SAFETY: as above; nothing is read.
    let row = unsafe { &raw const (*pass).row };
    write(seq, row)
}

#[inline(always)]
fn open_process(pass: *mut Pass, session: u64, task: &Task, tgid: u32) -> Option<()> {
    macro_rules! set {
        ($($field:ident).+, $value:expr) => {{
            let value = $value;
            // SAFETY: the map value is live; nothing is read.
            let field = unsafe { &raw mut (*pass).$($field).+ };
            // SAFETY: a field of a live value; one pass at a time writes it.
            unsafe { field.write(value) };
        }};
    }
    set!(session, session);
    set!(row.kind, kind::PROCESS);
    set!(row.tgid, tgid);
    // SAFETY: the helper has no preconditions.
    set!(row.ts, unsafe { bpf_ktime_get_boot_ns() });
    set!(row.start, task.start()?);
    set!(row.limit, task.descriptor_limit()?);
    set!(row.descriptors, 0);
    set!(row.sockets, 0);
    // SAFETY: the map value is live; nothing is read.
    let comm = unsafe { &raw mut (*pass).row.comm };
    // SAFETY: the field is 16 bytes of a live value, at an offset divisible by 8.
    unsafe { task.comm(comm.cast()) }
}

/// Writes the rows of a descriptor, if it is one of a TCP socket that is watched; says whether it wrote any. `None` if
/// there was no room.
#[inline(always)]
fn held(seq: KernelPtr, task: &Task, tgid: u32, fd: u32, file: KernelPtr) -> Option<bool> {
    // SAFETY: the helper takes any file.
    let socket: KernelPtr = unsafe { bpf_sock_from_file(file.cast_mut().cast()) }
        .cast_const()
        .cast();
    if socket.is_null() {
        return Some(false);
    }
    let base: KernelPtr = Trusted::load(socket, &OFF_SOCKET_SK)?;
    if base.is_null() {
        return Some(false);
    }
    let protocol = Sock::<Trusted>::new(base).protocol()?;
    if protocol == IPPROTO_TCP {
        return tell(seq, task, tgid, fd, file, Sock::<Trusted>::new(base));
    }
    match beneath(base, protocol) {
        Some(first) => tell(seq, task, tgid, fd, file, Sock::<Probed>::new(first)),
        None => Some(false),
    }
}

/// The same for a TCP socket.
#[inline(always)]
fn tell<A: Access>(
    seq: KernelPtr,
    task: &Task,
    tgid: u32,
    fd: u32,
    file: KernelPtr,
    sock: Sock<A>,
) -> Option<bool> {
    let (family, state, remote_port) = (sock.family()?, sock.state()?, sock.remote_port()?);
    let listens = state == tcp::LISTEN;
    // Listeners are always told: they say who started the connections of others. So is what is tracked: it may have
    // come to a process that no filter names.
    let tracked = table::get(sock.key()).is_some();
    // Sockets that were never connected have no remote port; nor have listeners. Nor have those whose attempt failed
    // (`tcp_disconnect`, `net/ipv4/tcp.c`), but these are tracked until they are closed.
    if remote_port == 0 && !listens && !tracked {
        return Some(false);
    }
    if !listens && !tracked && !admit::held(task, tgid, sock) {
        return Some(false);
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
    set!(kind, kind::HELD);
    // SAFETY: the helper has no preconditions.
    set!(ts, unsafe { bpf_ktime_get_boot_ns() });
    // SAFETY: the helper has no preconditions.
    set!(jiffies, unsafe { bpf_jiffies64() });
    set!(start, task.start()?);
    set!(tgid, tgid);
    set!(fd, fd);
    let inode: KernelPtr = Trusted::load(file, &OFF_FILE_INODE)?;
    set!(inode, Trusted::load::<u64>(inode, &OFF_INODE_NUMBER)?);
    set!(netns, sock.netns()?);
    let local_port = sock.accepted_port()?;
    set!(local_port, local_port);
    set!(remote_port, remote_port);
    set!(state, state);
    if listens {
        set!(backlog, A::load::<u32>(sock.base(), &OFF_BACKLOG)?);
        set!(max_backlog, A::load::<u32>(sock.base(), &OFF_MAX_BACKLOG)?);
    } else {
        let base = sock.base();
        set!(id, identify(sock.key(), stage::FOUND));
        // `struct tcp_sock` begins with the socket, but the verifier knows only the socket's type.
        set!(bytes_acked, Probed::load::<u64>(base, &OFF_BYTES_ACKED)?);
        set!(bytes_received, Probed::load::<u64>(base, &OFF_BYTES_RECEIVED)?);
        set!(last_sent, Probed::load::<u32>(base, &OFF_LAST_SENT)?);
        set!(last_received, Probed::load::<u32>(base, &OFF_LAST_RECEIVED)?);
    }
    write(seq, row.cast_const())?;
    if listens && admit::queue(task, tgid, local_port) {
        queue::waiting(seq, sock.base(), local_port)?;
    }
    Some(true)
}

/// Writes a row; `None` if there was no room.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a row has some hundred bytes")]
pub fn write<R: IntoBytes>(seq: KernelPtr, row: *const R) -> Option<()> {
    // SAFETY: the row is initialised, has no padding, and is as long as said.
    let failed = unsafe {
        bpf_seq_write(
            seq.cast_mut().cast(),
            row.cast_mut().cast(),
            size_of::<R>() as u32,
        )
    };
    (failed == 0).then_some(())
}

/// The socket's connection id; 0 if the table is full. A socket that is not tracked yet is from now on, so that its
/// close will be seen.
#[inline(always)]
pub fn identify(key: u64, stage: u64) -> u64 {
    if let Some(id) = known(key) {
        return id;
    }
    let id = next_id();
    // What a probe entered meanwhile is better than what is entered here.
    if table::enter(key, SockRecord { id, stage }) {
        id
    } else {
        known(key).unwrap_or(0)
    }
}

#[inline(always)]
fn known(key: u64) -> Option<u64> {
    table::get(key).map(|record| record.id)
}
