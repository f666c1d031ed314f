//! Decodes the rows of a snapshot. Pure, and never panics.

use std::{net::SocketAddr, time::Duration};

use bytes::{Buf, TryGetError};
use tracer_common::{event::COMM_LEN, snapshot::HeldRow, socket::tcp};

use super::decode::{DecodeError, address};
use crate::model::{
    connection::{ConnectionId, Phase, ProcessId},
    name::Comm,
    snapshot::{Held, Listener, ListenerId, Snapshot},
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

/// Adds the rows in `bytes` to `snapshot`; gives the number of connections that the kernel's table had no room for.
///
/// # Errors
/// When the bytes are not rows that the iterator writes; `snapshot` has then an unknown part of them.
pub fn decode_rows(mut bytes: &[u8], hz: Option<Hz>, snapshot: &mut Snapshot) -> Result<u64, DecodeError> {
    let mut untracked = 0;
    while !bytes.is_empty() {
        let length = bytes.len();
        let row = read(&mut bytes).map_err(|_| DecodeError::Truncated { length })?;
        match row.sort(hz)? {
            Sorted::Listener(listener) => snapshot.listeners.push(listener),
            Sorted::Held(held) => snapshot.held.push(held),
            Sorted::Untracked => untracked += 1,
        }
    }
    Ok(untracked)
}

/// The first value of `jiffies64` in `bytes`, and when it was read.
pub fn first_jiffies(mut bytes: &[u8]) -> Option<(Time, u64)> {
    read(&mut bytes).ok().map(|row| (row.at, row.jiffies))
}

struct Row {
    at: Time,
    jiffies: u64,
    id: u64,
    process: ProcessId,
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

enum Sorted {
    Listener(Listener),
    Held(Held),
    Untracked,
}

/// Reads the fields in the order of [`HeldRow`].
fn read(row: &mut &[u8]) -> Result<Row, TryGetError> {
    let at = Time(row.try_get_u64_ne()?);
    let jiffies = row.try_get_u64_ne()?;
    let id = row.try_get_u64_ne()?;
    let start = Time(row.try_get_u64_ne()?);
    let _bytes_acked = row.try_get_u64_ne()?;
    let _bytes_received = row.try_get_u64_ne()?;
    let last_sent = row.try_get_u32_ne()?;
    let last_received = row.try_get_u32_ne()?;
    let pid = row.try_get_u32_ne()?;
    let fd = row.try_get_u32_ne()?;
    let netns = row.try_get_u32_ne()?;
    let local_port = row.try_get_u16_ne()?;
    let remote_port = row.try_get_u16_ne()?;
    let backlog = row.try_get_u32_ne()?;
    let max_backlog = row.try_get_u32_ne()?;
    let state = row.try_get_u8()?;
    let mut reserved = [0; 7];
    row.try_copy_to_slice(&mut reserved)?;
    let local = SocketAddr::new(address(row)?, local_port);
    let peer = SocketAddr::new(address(row)?, remote_port);
    let mut comm = [0; COMM_LEN];
    row.try_copy_to_slice(&mut comm)?;
    let process = ProcessId { pid, start };
    let comm = Comm::new(comm);
    Ok(Row {
        at,
        jiffies,
        id,
        process,
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

impl Row {
    fn sort(self, hz: Option<Hz>) -> Result<Sorted, DecodeError> {
        let Self {
            at,
            id,
            process,
            comm,
            fd,
            netns,
            local,
            peer,
            ..
        } = self;
        let phase = match self.state {
            tcp::LISTEN => {
                let (queued, queue_limit) = (self.backlog, self.max_backlog);
                return Ok(Sorted::Listener(Listener {
                    id: ListenerId(0),
                    at,
                    comm,
                    process,
                    netns,
                    local,
                    queued,
                    queue_limit,
                }));
            }
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
        if id == 0 {
            return Ok(Sorted::Untracked);
        }
        let age_at_least = hz.map_or(Duration::ZERO, |hz| hz.span(self.idle()));
        Ok(Sorted::Held(Held {
            id: ConnectionId(id),
            process,
            comm,
            fd,
            netns,
            local,
            peer,
            phase,
            at,
            age_at_least,
            inode: 0,
            idle: Duration::ZERO,
            sent: 0,
            received: 0,
        }))
    }

    /// Jiffies since the earlier of the last sending and the last receiving. Both times are set when the connection is
    /// established (`tcp_finish_connect`, `net/ipv4/tcp_input.c`; `tcp_create_openreq_child`, `net/ipv4/tcp_minisocks.c`),
    /// so it is at least as old as the earlier one. They wrap with the low half of jiffies: older than half its range
    /// (24 days at 1000 Hz) looks like the future, and counts as nothing.
    #[expect(clippy::cast_possible_truncation, reason = "the low half of jiffies is meant")]
    fn idle(&self) -> u32 {
        let now = self.jiffies as u32;
        let since = |then: u32| match now.wrapping_sub(then) {
            passed @ 0..=0x7fff_ffff => passed,
            _ => 0,
        };
        since(self.last_sent).max(since(self.last_received))
    }
}

const _: () = {
    // The reads above follow the declaration field by field.
    assert!(size_of::<HeldRow>() == 6 * 8 + 5 * 4 + 2 * 2 + 2 * 4 + 1 + 7 + 16 + 16 + COMM_LEN);
};

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
