//! Decodes the rows of a snapshot. Pure, and never panics.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::{Buf, TryGetError};
use tracer_common::{
    event::COMM_LEN,
    snapshot::{HeldRow, ProcessRow, WaitingRow, kind},
    socket::tcp,
};

use super::decode::{DecodeError, canonical};
use crate::model::{
    connection::{ConnectionId, Phase, ProcessId},
    name::Comm,
    snapshot::{Descriptors, Held, Listener, ListenerId, Snapshot, Waiting},
    time::Time,
};

/// Timer interrupts per second of the running kernel (`CONFIG_HZ`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hz(pub u32);

/// What kernels are built with (`kernel/Kconfig.hz`, and the machines that have their own).
const POSSIBLE_HZ: [u32; 11] = [24, 32, 48, 64, 100, 128, 200, 250, 300, 1000, 1024];

impl Hz {
    /// From the value of `jiffies64` after `uptime` (of `CLOCK_MONOTONIC`): it starts five minutes before its low half
    /// overflows (`INITIAL_JIFFIES`, include/linux/jiffies.h) and counts on from there. `None` around that moment,
    /// when every rate fits.
    pub fn from_jiffies(jiffies: u64, uptime: Duration) -> Option<Self> {
        const OVERFLOW: i128 = 1 << 32;
        let expected = |hz: u32| OVERFLOW + i128::from(hz) * (i128::from(uptime.as_secs()) - 300);
        // The two clocks are read one after the other, and uptime is cut to seconds.
        let fits = |hz: &u32| (i128::from(jiffies) - expected(*hz)).abs() <= 2 * i128::from(*hz);
        let mut fitting = POSSIBLE_HZ.into_iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(hz), None) => Some(Self(hz)),
            _ => None,
        }
    }

    fn span(self, jiffies: u32) -> Duration {
        Duration::from_secs(jiffies.into()) / self.0
    }
}

/// Adds the rows in `bytes` to `snapshot`.
///
/// # Errors
/// When the bytes are not rows that the iterator writes; `snapshot` has then an unknown part of them.
pub fn decode_rows(mut bytes: &[u8], hz: Option<Hz>, snapshot: &mut Snapshot) -> Result<(), DecodeError> {
    // Whose queue the waiting ones are in.
    let mut listener = None;
    while !bytes.is_empty() {
        let length = bytes.len();
        let truncated = |_: TryGetError| DecodeError::Truncated { length };
        match bytes.try_get_u32_ne().map_err(truncated)? {
            kind::HELD => {
                let row = read_held(&mut bytes).map_err(truncated)?;
                if row.state == tcp::LISTEN {
                    snapshot.listeners.push(row.listener());
                    listener = Some(row);
                } else if row.peer.port() == 0 {
                    let id = (row.id != 0).then_some(ConnectionId(row.id));
                    snapshot.failed.get_or_insert_default().extend(id);
                } else {
                    match row.held(hz)? {
                        Some(held) => snapshot.held.push(held),
                        None => snapshot.untracked += 1,
                    }
                }
            }
            kind::WAITING => {
                let row = read_waiting(&mut bytes).map_err(truncated)?;
                let listener = listener.as_ref().ok_or(DecodeError::Stray)?;
                match row.of(listener, hz) {
                    Some(waiting) => snapshot.waiting.push(waiting),
                    None => snapshot.untracked += 1,
                }
            }
            kind::PROCESS => {
                let table = read_process(&mut bytes).map_err(truncated)?;
                snapshot.descriptors.push(table);
            }
            unknown => return Err(DecodeError::Row(unknown)),
        }
    }
    Ok(())
}

/// The value of `jiffies64` in the first row that has one, and when it was read.
pub fn first_jiffies(mut bytes: &[u8]) -> Option<(Time, u64)> {
    loop {
        match bytes.try_get_u32_ne().ok()? {
            kind::HELD => return read_held(&mut bytes).ok().map(|row| (row.at, row.jiffies)),
            kind::WAITING => {
                read_waiting(&mut bytes).ok()?;
            }
            kind::PROCESS => {
                read_process(&mut bytes).ok()?;
            }
            _ => return None,
        }
    }
}

fn address(row: &mut &[u8]) -> Result<IpAddr, TryGetError> {
    let mut octets = [0; 16];
    row.try_copy_to_slice(&mut octets)?;
    Ok(canonical(octets))
}

/// [`HeldRow`].
#[derive(Clone, Copy)]
struct Row {
    at: Time,
    jiffies: u64,
    id: u64,
    inode: u64,
    process: ProcessId,
    sent: u64,
    received: u64,
    last_sent: u32,
    last_received: u32,
    fd: u32,
    netns: u32,
    local: SocketAddr,
    peer: SocketAddr,
    backlog: u32,
    max_backlog: u32,
    state: u8,
    comm: Comm,
}

/// Reads the fields in the order of [`HeldRow`], behind the kind.
fn read_held(row: &mut &[u8]) -> Result<Row, TryGetError> {
    let fd = row.try_get_u32_ne()?;
    let at = Time(row.try_get_u64_ne()?);
    let jiffies = row.try_get_u64_ne()?;
    let id = row.try_get_u64_ne()?;
    let inode = row.try_get_u64_ne()?;
    let start = Time(row.try_get_u64_ne()?);
    let sent = row.try_get_u64_ne()?;
    let received = row.try_get_u64_ne()?;
    let last_sent = row.try_get_u32_ne()?;
    let last_received = row.try_get_u32_ne()?;
    let pid = row.try_get_u32_ne()?;
    let netns = row.try_get_u32_ne()?;
    let backlog = row.try_get_u32_ne()?;
    let max_backlog = row.try_get_u32_ne()?;
    let local_port = row.try_get_u16_ne()?;
    let remote_port = row.try_get_u16_ne()?;
    let state = row.try_get_u8()?;
    let mut reserved = [0; 3];
    row.try_copy_to_slice(&mut reserved)?;
    let local = SocketAddr::new(address(row)?, local_port);
    let peer = SocketAddr::new(address(row)?, remote_port);
    let comm = read_comm(row)?;
    let process = ProcessId { pid, start };
    Ok(Row {
        at,
        jiffies,
        id,
        inode,
        process,
        sent,
        received,
        last_sent,
        last_received,
        fd,
        netns,
        local,
        peer,
        backlog,
        max_backlog,
        state,
        comm,
    })
}

fn read_comm(row: &mut &[u8]) -> Result<Comm, TryGetError> {
    let mut comm = [0; COMM_LEN];
    row.try_copy_to_slice(&mut comm)?;
    Ok(Comm::new(comm))
}

impl Row {
    fn listener(&self) -> Listener {
        Listener {
            id: ListenerId(self.inode),
            process: self.process,
            comm: self.comm,
            netns: self.netns,
            local: self.local,
            queued: self.backlog,
            queue_limit: self.max_backlog,
            at: self.at,
        }
    }

    /// `None` if the kernel's table had no room for it.
    fn held(self, hz: Option<Hz>) -> Result<Option<Held>, DecodeError> {
        let phase = match self.state {
            tcp::SYN_SENT => Phase::Connecting,
            // A child accepted through TCP Fast Open before its handshake is done counts as open.
            tcp::ESTABLISHED | tcp::SYN_RECV => Phase::Open,
            tcp::CLOSE_WAIT => Phase::HalfClosedRemote,
            tcp::FIN_WAIT1 | tcp::FIN_WAIT2 | tcp::CLOSING | tcp::LAST_ACK | tcp::TIME_WAIT => {
                Phase::HalfClosedLocal
            }
            tcp::CLOSE => Phase::DeadHeld,
            unknown => return Err(DecodeError::State(unknown)),
        };
        if self.id == 0 {
            return Ok(None);
        }
        let (sent, received) = (self.since(self.last_sent), self.since(self.last_received));
        let span = |jiffies| hz.map_or(Duration::ZERO, |hz: Hz| hz.span(jiffies));
        Ok(Some(Held {
            id: ConnectionId(self.id),
            process: self.process,
            comm: self.comm,
            fd: self.fd,
            inode: self.inode,
            netns: self.netns,
            local: self.local,
            peer: self.peer,
            phase,
            at: self.at,
            // So many jiffies may be a little less than they say: the first may have been nearly over.
            age_at_least: span(sent.max(received).saturating_sub(1)),
            idle: span(sent.min(received)),
            sent: self.sent,
            received: self.received,
        }))
    }

    /// Jiffies from `then` until the row was written. The times of the last sending and the last receiving are both set
    /// when the connection is established (`tcp_finish_connect`, `net/ipv4/tcp_input.c`; `tcp_create_openreq_child`,
    /// `net/ipv4/tcp_minisocks.c`), so it is at least as old as the earlier one. They wrap with the low half of jiffies:
    /// older than half its range (24 days at 1000 Hz) looks like the future, and counts as nothing.
    #[expect(clippy::cast_possible_truncation, reason = "the low half of jiffies is meant")]
    fn since(&self, then: u32) -> u32 {
        match (self.jiffies as u32).wrapping_sub(then) {
            passed @ 0..=0x7fff_ffff => passed,
            _ => 0,
        }
    }
}

/// [`WaitingRow`].
struct WaitingConnection {
    last_sent: u32,
    id: u64,
    state: u8,
    local: IpAddr,
    peer: SocketAddr,
}

/// Reads the fields in the order of [`WaitingRow`], behind the kind.
fn read_waiting(row: &mut &[u8]) -> Result<WaitingConnection, TryGetError> {
    let last_sent = row.try_get_u32_ne()?;
    let id = row.try_get_u64_ne()?;
    let remote_port = row.try_get_u16_ne()?;
    let state = row.try_get_u8()?;
    let mut reserved = [0; 5];
    row.try_copy_to_slice(&mut reserved)?;
    let local = address(row)?;
    let peer = SocketAddr::new(address(row)?, remote_port);
    Ok(WaitingConnection {
        last_sent,
        id,
        state,
        local,
        peer,
    })
}

impl WaitingConnection {
    /// `None` if the kernel's table had no room for it.
    fn of(self, listener: &Row, hz: Option<Hz>) -> Option<Waiting> {
        (self.id != 0).then(|| Waiting {
            id: ConnectionId(self.id),
            listener: ListenerId(listener.inode),
            local: SocketAddr::new(self.local, listener.local.port()),
            peer: self.peer,
            given_up: !matches!(self.state, tcp::ESTABLISHED | tcp::SYN_RECV),
            at: listener.at,
            waited: hz.map_or(Duration::ZERO, |hz| hz.span(listener.since(self.last_sent))),
        })
    }
}

/// Reads the fields in the order of [`ProcessRow`], behind the kind.
fn read_process(row: &mut &[u8]) -> Result<Descriptors, TryGetError> {
    let pid = row.try_get_u32_ne()?;
    let at = Time(row.try_get_u64_ne()?);
    let start = Time(row.try_get_u64_ne()?);
    let limit = row.try_get_u64_ne()?;
    let used = row.try_get_u32_ne()?;
    let sockets = row.try_get_u32_ne()?;
    let comm = read_comm(row)?;
    Ok(Descriptors {
        process: ProcessId { pid, start },
        comm,
        used,
        sockets,
        // RLIM_INFINITY.
        limit: (limit != u64::MAX).then_some(limit),
        at,
    })
}

const _: () = {
    // The reads above follow the declarations field by field.
    assert!(size_of::<HeldRow>() == 2 * 4 + 7 * 8 + 6 * 4 + 2 * 2 + 1 + 3 + 2 * 16 + COMM_LEN);
    assert!(size_of::<WaitingRow>() == 2 * 4 + 8 + 2 + 1 + 5 + 2 * 16);
    assert!(size_of::<ProcessRow>() == 2 * 4 + 3 * 8 + 2 * 4 + COMM_LEN);
};

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
