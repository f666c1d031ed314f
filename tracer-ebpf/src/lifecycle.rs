//! What each hook does, whatever its type: the shells in `hooks/` pick the access mode and call here.

use aya_ebpf::{EbpfContext, helpers::bpf_ktime_get_boot_ns};
use aya_log_ebpf::{debug, warn};
use tracer_common::{
    counter::Counter,
    event::{Change, Opened, cause, kind},
    socket::{IPPROTO_TCP, SockRecord, direction, stage, tcp},
};

use crate::{
    access::Access,
    admit,
    counters::{count, next_id},
    emit::{self, Pending},
    maps::LAST_ACCEPT,
    sock::Sock,
    stacks::{self, Place},
    table,
    task::Task,
};

/// A process is about to send a SYN, or did so an instant ago. Runs in the connecting process's context.
#[inline(always)]
pub fn connecting<A: Access>(ctx: &impl EbpfContext, sock: Sock<A>) {
    let port = sock.remote_port();
    let _: Option<u64> = track(ctx, sock, direction::OUTBOUND, port, Place::Connect);
}

/// A process got a connection from accept. Runs in the accepting process's context.
#[inline(always)]
pub fn accepted<A: Access>(ctx: &impl EbpfContext, sock: Sock<A>, place: Place) {
    // Other protocols share the function (`dccp_prot` did until it was removed).
    if sock.protocol() != Some(IPPROTO_TCP) {
        return;
    }
    let port = sock.accepted_port();
    if let Some(id) = track(ctx, sock, direction::INBOUND, port, place) {
        catch_up(id, sock);
    }
}

/// `inet_csk_accept` returns with this socket.
#[inline(always)]
pub fn returned<A: Access>(ctx: &impl EbpfContext, sock: Sock<A>) {
    if let Some(last) = LAST_ACCEPT.get_ptr_mut(0) {
        // SAFETY: the map value is live and aligned.
        unsafe { last.write(sock.key()) };
    }
    accepted(ctx, sock, Place::Accept);
}

/// An accepted socket is being given to its process, an instant after [`returned`]: sees what that did not, because
/// the thread was inside already when the program was attached, or because more threads were inside than a kretprobe
/// has instances.
#[inline(always)]
pub fn grafted<A: Access>(ctx: &impl EbpfContext, sock: Sock<A>) {
    let key = sock.key();
    // The slot is missed if the thread changed the CPU between the two, which costs a lookup.
    if let Some(last) = LAST_ACCEPT.get_ptr_mut(0) {
        // SAFETY: the map value is live and aligned.
        let was_returned = unsafe { last.read() } == key;
        if was_returned {
            // Used up: the same address may be another socket's next time, and that one's return may be missed.
            // SAFETY: as above.
            unsafe { last.write(0) };
            return;
        }
    }
    // A snapshot that found it in the queue an instant ago has told of no accept.
    let is_told = |there: SockRecord| !matches!(there.stage, stage::FOUND | stage::WAITING);
    if !table::get(key).is_some_and(is_told) {
        accepted(ctx, sock, Place::Graft);
    }
}

/// Reports what happened to an accepted connection before it was tracked: the peer may have closed or reset it while
/// it waited in the queue. Asked after the entry into the table, so a change is either seen here or by
/// [`state_changed`]; seen twice does no harm.
#[inline(always)]
fn catch_up<A: Access>(id: u64, sock: Sock<A>) {
    let Some(state @ (tcp::CLOSE_WAIT | tcp::CLOSE)) = sock.state() else {
        return;
    };
    if state == tcp::CLOSE {
        let held = SockRecord {
            id,
            stage: stage::HELD,
        };
        let dead = SockRecord {
            stage: stage::DEAD,
            ..held
        };
        table::change(sock.key(), held, dead);
    }
    emit::change(Change {
        from: tcp::ESTABLISHED,
        to: state,
        ..change(id, kind::STATE)
    });
}

/// Enters a new connection into the table and reports it; gives its id. Whatever the socket was before, it is that no
/// more, also where the new connection is not tracked.
#[inline(always)]
fn track<A: Access>(
    ctx: &impl EbpfContext,
    sock: Sock<A>,
    direction: u8,
    service_port: Option<u16>,
    place: Place,
) -> Option<u64> {
    let id = enter(ctx, sock, direction, service_port, place);
    if id.is_none() {
        forget_predecessor(ctx, sock.key());
    }
    id
}

/// The same, if the connection is to be tracked and can be.
#[inline(always)]
fn enter<A: Access>(
    ctx: &impl EbpfContext,
    sock: Sock<A>,
    direction: u8,
    service_port: Option<u16>,
    place: Place,
) -> Option<u64> {
    let key = sock.key();
    let tgid = Task::current_tgid();
    // A port that cannot be read passes as 0 and fails, counted, in `fill`.
    if !admit::direction_and_port(tgid, direction, service_port.unwrap_or(0)) {
        return None;
    }
    if !admit::process_and_peer(tgid, sock) {
        return None;
    }
    let stack = stacks::take(place, direction, tgid);
    let mut pending = Pending::<Opened>::reserve()?;
    let mut id = next_id();
    // SAFETY: the entry is exclusively ours, aligned to 8 bytes, and as long as a record.
    if unsafe { fill(pending.record(), sock, id, tgid, direction, stack) }.is_none() {
        pending.lose(Counter::Unreadable);
        warn!(
            ctx,
            "a field of a new connection could not be read: it is not tracked"
        );
        return None;
    }
    let record = SockRecord {
        id,
        stage: stage::HELD,
    };
    if !table::enter(key, record) {
        let Some(there) = table::get(key) else {
            pending.lose(Counter::MapFull);
            warn!(
                ctx,
                "the socket table is full: a connection of process {} is not tracked", tgid
            );
            return None;
        };
        if !end_predecessor(ctx, there) {
            // It is this connection, and its id was told.
            id = there.id;
            // SAFETY: the record is live and exclusively ours.
            let told = unsafe { &raw mut (*pending.record()).id };
            // SAFETY: as above.
            unsafe { told.write(id) };
        }
        table::change(key, there, SockRecord { id, ..record });
    }
    pending.submit();
    debug!(ctx, "connection {} opened by process {}", id, tgid);
    Some(id)
}

/// Writes the record field by field.
#[inline(always)]
unsafe fn fill<A: Access>(
    record: *mut Opened,
    sock: Sock<A>,
    id: u64,
    tgid: u32,
    direction: u8,
    stack: u64,
) -> Option<()> {
    let task = Task::current()?;
    let family = sock.family()?;
    macro_rules! field {
        ($field:ident) => {
            // SAFETY: the record is live; nothing is read.
            unsafe { &raw mut (*record).$field }
        };
    }
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let (field, value) = (field!($field), $value);
            // SAFETY: a field of a live record that is exclusively ours.
            unsafe { field.write(value) };
        }};
    }
    // SAFETY: the helper has no preconditions.
    set!(ts, unsafe { bpf_ktime_get_boot_ns() });
    set!(id, id);
    set!(kind, kind::OPENED);
    set!(direction, direction);
    set!(state, sock.state()?);
    set!(flags, task.flags()?);
    set!(tgid, tgid);
    set!(start, task.start()?);
    set!(stack, stack);
    set!(netns, sock.netns()?);
    let local_port = if direction == direction::INBOUND {
        sock.accepted_port()
    } else {
        sock.local_port()
    };
    set!(local_port, local_port?);
    set!(remote_port, sock.remote_port()?);
    let (local, remote, comm) = (field!(local).cast(), field!(remote).cast(), field!(comm).cast());
    // SAFETY: the field is 16 bytes of a live record, at an offset divisible by 8.
    unsafe { sock.local(family, local) }?;
    // SAFETY: as above.
    unsafe { sock.remote(family, remote) }?;
    // SAFETY: as above.
    unsafe { task.comm(comm) }
}

/// Ends what a socket was that is just opening, and is not tracked.
#[inline(always)]
fn forget_predecessor(ctx: &impl EbpfContext, key: u64) {
    if let Some(there) = table::get(key)
        && end_predecessor(ctx, there)
    {
        table::remove(key, there);
    }
}

/// What was tracked under the key of a socket that is just opening is over: either the same socket connects again
/// (`tcp_disconnect` runs no close, `net/ipv4/tcp.c`), or its memory was reused and the end went unseen. Only where a
/// snapshot found it before, in a queue or an instant before the hook, is it this very connection. Says whether it is
/// over.
#[inline(always)]
fn end_predecessor(ctx: &impl EbpfContext, record: SockRecord) -> bool {
    let cause = match record.stage {
        stage::FOUND | stage::WAITING => return false,
        stage::DEAD => cause::RECONNECTED,
        _ => {
            count(Counter::Unobserved);
            warn!(ctx, "the end of connection {} was not observed", record.id);
            cause::UNOBSERVED
        }
    };
    emit::change(Change {
        cause,
        ..change(record.id, kind::ENDED)
    });
    true
}

/// The TCP state of a socket changed. Often in softirq: says nothing about any process.
#[inline(always)]
pub fn state_changed<A: Access>(sock: Sock<A>, from: u8, to: u8) {
    // Of the ten transitions of a loopback connection few matter; most return here.
    let wanted = match to {
        // Through SYN_RECV when both ends connect to each other (RFC 9293 §3.5), or one to itself.
        tcp::ESTABLISHED => matches!(from, tcp::SYN_SENT | tcp::SYN_RECV),
        tcp::FIN_WAIT1 | tcp::CLOSE_WAIT | tcp::LAST_ACK | tcp::CLOSE => true,
        _ => false,
    };
    if !wanted {
        return;
    }
    let key = sock.key();
    let Some(record) = table::get(key) else {
        return;
    };
    // What waits to be accepted stays that, even when it is dead.
    if to == tcp::CLOSE && record.stage != stage::WAITING {
        let dead = SockRecord {
            stage: stage::DEAD,
            ..record
        };
        table::change(key, record, dead);
    }
    let local_port = if to == tcp::ESTABLISHED {
        sock.local_port().unwrap_or(0)
    } else {
        0
    };
    let error = if to == tcp::CLOSE { errno(sock.error()) } else { 0 };
    emit::change(Change {
        from,
        to,
        local_port,
        error,
        ..change(record.id, kind::STATE)
    });
}

/// `sk_err` fits 16 bits: it holds a positive errno, at most `MAX_ERRNO` = 4095 (`include/linux/err.h`).
#[inline(always)]
fn errno(error: Option<i32>) -> u16 {
    error.and_then(|error| u16::try_from(error).ok()).unwrap_or(0)
}

/// The process lets a socket go, in this TCP state (0 if unknown). What the socket was is known from its open. It is
/// followed no further: what TCP still does with it concerns no process.
#[inline(always)]
pub fn released(key: u64, state: u8) -> Known {
    let Some(record) = table::get(key) else {
        return Known::No;
    };
    // Only once it was told: a release lost to a full ring is made good by the end that follows.
    if emit::change(Change {
        from: state,
        ..change(record.id, kind::RELEASED)
    }) {
        table::remove(key, record);
    }
    Known::Yes
}

/// Whether a socket is tracked.
#[derive(PartialEq, Eq)]
pub enum Known {
    Yes,
    No,
}

/// Counts the close of a connected socket that is not tracked although the filters would have it: it is older
/// than the tracer, or its open was lost. Not counted where filters other than ports are on: whom they would
/// have let in is not known any more. Listeners and never-connected sockets are closed here too.
#[inline(always)]
pub fn unknown_close<A: Access>(sock: Sock<A>) {
    let connected = matches!(sock.state(), Some(tcp::ESTABLISHED | tcp::CLOSE_WAIT));
    let watched = connected
        && admit::only_by_port()
        && (sock.local_port().is_some_and(admit::port) || sock.remote_port().is_some_and(admit::port));
    if watched {
        count(Counter::UnknownClose);
    }
}

/// The kernel destroys a socket. If it is still tracked, its release was not seen, or there was none: it waited to be
/// accepted, or is a subflow of Multipath TCP.
#[inline(always)]
pub fn destroyed(key: u64) {
    let Some(record) = table::get(key) else {
        return;
    };
    emit::change(change(record.id, kind::ENDED));
    table::remove(key, record);
}

#[inline(always)]
fn change(id: u64, kind: u8) -> Change {
    Change {
        // SAFETY: the helper has no preconditions.
        ts: unsafe { bpf_ktime_get_boot_ns() },
        id,
        kind,
        from: 0,
        to: 0,
        cause: cause::DESTROYED,
        local_port: 0,
        error: 0,
    }
}
