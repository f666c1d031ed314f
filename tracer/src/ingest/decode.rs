//! Decodes ring buffer records. Pure, and never panics: a record that makes no sense is an error to be counted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::{Buf, TryGetError};
use thiserror::Error;
use tracer_common::{
    event::{COMM_LEN, Change, Opened, cause, flag, kind},
    socket::tcp,
};

use crate::model::{
    connection::{ConnectionId, Direction, ProcessId},
    event::{EndCause, Event, EventKind, Opening, StateChange},
    name::Comm,
    stack::Opener,
    time::Time,
};

/// Why a record was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// It ends too early.
    #[error("record of {length} bytes ends too early")]
    Truncated {
        /// Its length.
        length: usize,
    },
    /// It is longer than its kind.
    #[error("record has {extra} bytes too many")]
    TooLong {
        /// Bytes left over.
        extra: usize,
    },
    /// Its kind is none of [`kind`].
    #[error("unknown record kind {0}")]
    Kind(u8),
    /// Its direction is none of [`direction`](tracer_common::socket::direction).
    #[error("unknown direction {0}")]
    Direction(u8),
    /// Its TCP state is none that the kernel programs report.
    #[error("unexpected TCP state {0}")]
    State(u8),
    /// Its cause is none of [`cause`].
    #[error("unknown cause {0}")]
    Cause(u8),
    /// Its kind is none of those of a snapshot's rows ([`kind`](tracer_common::snapshot::kind)).
    #[error("unknown row kind {0}")]
    Row(u32),
    /// It is no stack that the kernel programs tell.
    #[error("a stack that makes no sense")]
    Stack,
    /// It is a connection in the queue of no listener.
    #[error("a waiting connection without a listener before it")]
    Stray,
}

/// Decodes one record.
///
/// # Errors
/// When the bytes are no record that the kernel programs write.
pub fn decode(record: &[u8]) -> Result<Event, DecodeError> {
    let length = record.len();
    let mut rest = record;
    let event = read(&mut rest).unwrap_or(Err(DecodeError::Truncated { length }))?;
    match rest.len() {
        0 => Ok(event),
        extra => Err(DecodeError::TooLong { extra }),
    }
}

/// Reads the fields in the order of [`Opened`] and [`Change`]; the outer error is "too short".
fn read(record: &mut &[u8]) -> Result<Result<Event, DecodeError>, TryGetError> {
    let at = Time(record.try_get_u64_ne()?);
    let id = ConnectionId(record.try_get_u64_ne()?);
    let kind = match record.try_get_u8()? {
        kind::OPENED => read_opened(record)?.map(EventKind::Opened),
        kind @ (kind::STATE | kind::RELEASED | kind::ENDED) => read_change(kind, record)?,
        unknown => Err(DecodeError::Kind(unknown)),
    };
    Ok(kind.map(|kind| Event { at, id, kind }))
}

fn read_opened(record: &mut &[u8]) -> Result<Result<Opening, DecodeError>, TryGetError> {
    let direction = record.try_get_u8()?;
    let state = record.try_get_u8()?;
    let flags = record.try_get_u8()?;
    let pid = record.try_get_u32_ne()?;
    let start = Time(record.try_get_u64_ne()?);
    let stack = Opener::from_number(record.try_get_u64_ne()?);
    let netns = record.try_get_u32_ne()?;
    let local_port = record.try_get_u16_ne()?;
    let remote_port = record.try_get_u16_ne()?;
    let local = address(record)?;
    let remote = address(record)?;
    let mut comm = [0; COMM_LEN];
    record.try_copy_to_slice(&mut comm)?;
    let Some(direction) = Direction::from_number(direction) else {
        return Ok(Err(DecodeError::Direction(direction)));
    };
    if !(tcp::ESTABLISHED..=tcp::CLOSING).contains(&state) {
        return Ok(Err(DecodeError::State(state)));
    }
    let from_kernel = flags & flag::KERNEL != 0;
    Ok(Ok(Opening {
        process: if from_kernel {
            ProcessId::KERNEL
        } else {
            ProcessId { pid, start }
        },
        comm: if from_kernel {
            Comm::from("kernel")
        } else {
            Comm::new(comm)
        },
        direction,
        // An outbound connection is told of before its handshake, whatever the state says at that moment: a hook
        // on the transition to SYN_SENT runs before the kernel stores it.
        connecting: direction == Direction::Outbound,
        local: SocketAddr::new(local, local_port),
        peer: SocketAddr::new(remote, remote_port),
        netns,
        stack,
    }))
}

fn read_change(kind: u8, record: &mut &[u8]) -> Result<Result<EventKind, DecodeError>, TryGetError> {
    let from = record.try_get_u8()?;
    let to = record.try_get_u8()?;
    let cause = record.try_get_u8()?;
    let local_port = record.try_get_u16_ne()?;
    let error = record.try_get_u16_ne()?;
    Ok(match kind {
        kind::RELEASED => Ok(EventKind::Released {
            connected: matches!(from, tcp::ESTABLISHED | tcp::CLOSE_WAIT),
        }),
        kind::ENDED => match cause {
            cause::DESTROYED => Ok(EventKind::Ended(EndCause::Destroyed)),
            cause::RECONNECTED => Ok(EventKind::Ended(EndCause::Reconnected)),
            cause::UNOBSERVED => Ok(EventKind::Ended(EndCause::Unobserved)),
            unknown => Err(DecodeError::Cause(unknown)),
        },
        _ => match to {
            tcp::ESTABLISHED => Ok(EventKind::State(StateChange::Established { local_port })),
            tcp::CLOSE_WAIT => Ok(EventKind::State(StateChange::PeerClosed)),
            tcp::FIN_WAIT1 | tcp::LAST_ACK => Ok(EventKind::State(StateChange::ShutDown)),
            tcp::CLOSE => Ok(EventKind::State(StateChange::Closed { error })),
            unknown => Err(DecodeError::State(unknown)),
        },
    })
}

/// An address; IPv4-mapped IPv6 is IPv4, whichever kind of socket spoke it.
pub(super) fn address(record: &mut &[u8]) -> Result<IpAddr, TryGetError> {
    Ok(Ipv6Addr::from_bits(record.try_get_u128()?).to_canonical())
}

const _: () = {
    // The reads above follow the declarations field by field.
    assert!(size_of::<Opened>() == 8 + 8 + 1 + 3 + 4 + 8 + 8 + 4 + 2 + 2 + 16 + 16 + COMM_LEN);
    assert!(size_of::<Change>() == 8 + 8 + 1 + 3 + 2 + 2);
};

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
