//! What waits to be accepted, read from the listener's own queue.
//!
//! `iter/tcp` would show such sockets, too, but only those of one network namespace, without their listener, and not
//! those that were reset while they waited.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::helpers::bpf_loop;
use tracer_common::{
    snapshot::{QUEUE_ROWS, WaitingRow, kind},
    socket::{stage, tcp},
};

use super::snapshot::{identify, write};
use crate::{
    access::{Access as _, KernelPtr, Probed},
    admit,
    globals::{OFF_LAST_SENT, OFF_QUEUE_HEAD, OFF_QUEUE_NEXT, OFF_QUEUE_SOCK},
    sock::Sock,
};

/// Where the walk is.
#[repr(C)]
struct Walk {
    seq: KernelPtr,
    /// The next `struct request_sock`.
    request: KernelPtr,
    /// Port of the listener.
    local_port: u16,
    /// Whether a row found no room.
    is_full: u64,
}

/// Writes a row for each connection in the queue of the listener at `base`; `None` if there was no room.
///
/// The list is read without its lock (`rskq_lock`), so an element may be freed and reused underneath: every pointer is
/// read with faults handled, and what is told is checked to be a connection of this port.
#[inline(always)]
pub fn waiting(seq: KernelPtr, base: KernelPtr, local_port: u16) -> Option<()> {
    let request: KernelPtr = Probed::load(base, &OFF_QUEUE_HEAD)?;
    if request.is_null() {
        return Some(());
    }
    let mut walk = Walk {
        seq,
        request,
        local_port,
        is_full: 0,
    };
    let step: extern "C" fn(u32, *mut Walk) -> i64 = step;
    // SAFETY: the callback has the form that the helper expects, and the context outlives the call.
    unsafe { bpf_loop(QUEUE_ROWS, step as *mut c_void, (&raw mut walk).cast(), 0) };
    // SAFETY: the walk is live; the callback changed it behind the compiler's back.
    let is_full = unsafe { (&raw const walk.is_full).read_volatile() };
    (is_full == 0).then_some(())
}

/// One element; 1 ends the walk.
extern "C" fn step(_index: u32, walk: *mut Walk) -> i64 {
    // SAFETY: the walk outlives the loop.
    let request = unsafe { (*walk).request };
    if request.is_null() {
        return 1;
    }
    // SAFETY: as above.
    let (seq, local_port) = (unsafe { (*walk).seq }, unsafe { (*walk).local_port });
    if let Some(base) = Probed::load::<KernelPtr>(request, &OFF_QUEUE_SOCK)
        && let Some(is_full) = tell(seq, Sock::new(base), local_port)
        && is_full
    {
        // SAFETY: as above.
        unsafe { (*walk).is_full = 1 };
        return 1;
    }
    let next = Probed::load::<KernelPtr>(request, &OFF_QUEUE_NEXT).unwrap_or(core::ptr::null());
    // SAFETY: as above.
    unsafe { (*walk).request = next };
    0
}

/// Writes the row of one connection, if it is one; says whether there was no room for it.
#[inline(always)]
fn tell(seq: KernelPtr, sock: Sock<Probed>, local_port: u16) -> Option<bool> {
    let (family, state, remote_port) = (sock.family()?, sock.state()?, sock.remote_port()?);
    if sock.accepted_port()? != local_port
        || remote_port == 0
        || state == tcp::LISTEN
        || !admit::peer_of_queued(sock)
    {
        return Some(false);
    }
    let mut row = MaybeUninit::<WaitingRow>::zeroed();
    let row = row.as_mut_ptr();
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let value = $value;
            // SAFETY: the row is live; nothing is read.
            let field = unsafe { &raw mut (*row).$field };
            // SAFETY: a field of a live row that is exclusively ours.
            unsafe { field.write(value) };
        }};
    }
    // SAFETY: the row is live; nothing is read.
    let (local, remote) = (unsafe { &raw mut (*row).local }, unsafe {
        &raw mut (*row).remote
    });
    // SAFETY: the field is 16 bytes of a live row, at an offset divisible by 8.
    unsafe { sock.local(family, local.cast()) }?;
    // SAFETY: as above.
    unsafe { sock.remote(family, remote.cast()) }?;
    set!(kind, kind::WAITING);
    set!(last_sent, Probed::load::<u32>(sock.base(), &OFF_LAST_SENT)?);
    set!(id, identify(sock.key(), stage::WAITING));
    set!(remote_port, remote_port);
    set!(state, state);
    Some(write(seq, row.cast_const()).is_none())
}
