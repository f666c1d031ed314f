//! Decodes ring buffer records. Pure, and never panics: a record that makes no sense is an error to be counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;
use tracer_common::{
    event::{Change, KIND_OFFSET, Opened, cause, flag, kind},
    socket::tcp,
};
use zerocopy::FromBytes;

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
    match record.get(KIND_OFFSET) {
        Some(&kind::OPENED) => {
            let opened: Opened = whole(record)?;
            Ok(Event {
                at: Time(opened.ts),
                id: ConnectionId(opened.id),
                kind: EventKind::Opened(opening(&opened)?),
            })
        }
        Some(&(kind::STATE | kind::RELEASED | kind::ENDED)) => {
            let changed: Change = whole(record)?;
            Ok(Event {
                at: Time(changed.ts),
                id: ConnectionId(changed.id),
                kind: change(changed)?,
            })
        }
        Some(&unknown) => Err(DecodeError::Kind(unknown)),
        None => Err(truncated(record)),
    }
}

/// The bytes as a record, no more and no less.
fn whole<T: FromBytes>(record: &[u8]) -> Result<T, DecodeError> {
    let (whole, rest) = T::read_from_prefix(record).map_err(|_| truncated(record))?;
    match rest.len() {
        0 => Ok(whole),
        extra => Err(DecodeError::TooLong { extra }),
    }
}

const fn truncated(record: &[u8]) -> DecodeError {
    DecodeError::Truncated { length: record.len() }
}

fn opening(opened: &Opened) -> Result<Opening, DecodeError> {
    let direction =
        Direction::from_number(opened.direction).ok_or(DecodeError::Direction(opened.direction))?;
    if !(tcp::ESTABLISHED..=tcp::CLOSING).contains(&opened.state) {
        return Err(DecodeError::State(opened.state));
    }
    let from_kernel = opened.flags & flag::KERNEL != 0;
    Ok(Opening {
        process: if from_kernel {
            ProcessId::KERNEL
        } else {
            ProcessId {
                pid: opened.tgid,
                start: Time(opened.start),
            }
        },
        comm: if from_kernel {
            Comm::from("kernel")
        } else {
            Comm::new(opened.comm)
        },
        direction,
        // An outbound connection is told of before its handshake, whatever the state says at that moment: a hook
        // on the transition to SYN_SENT runs before the kernel stores it.
        connecting: direction == Direction::Outbound,
        local: SocketAddr::new(canonical(opened.local), opened.local_port),
        peer: SocketAddr::new(canonical(opened.remote), opened.remote_port),
        netns: opened.netns,
        stack: Opener::from_number(opened.stack),
    })
}

fn change(changed: Change) -> Result<EventKind, DecodeError> {
    let Change {
        local_port, error, ..
    } = changed;
    Ok(match changed.kind {
        kind::RELEASED => EventKind::Released {
            connected: matches!(changed.from, tcp::ESTABLISHED | tcp::CLOSE_WAIT),
        },
        kind::ENDED => EventKind::Ended(match changed.cause {
            cause::DESTROYED => EndCause::Destroyed,
            cause::RECONNECTED => EndCause::Reconnected,
            cause::UNOBSERVED => EndCause::Unobserved,
            unknown => return Err(DecodeError::Cause(unknown)),
        }),
        _ => EventKind::State(match changed.to {
            tcp::ESTABLISHED => StateChange::Established { local_port },
            tcp::CLOSE_WAIT => StateChange::PeerClosed,
            tcp::FIN_WAIT1 | tcp::LAST_ACK => StateChange::ShutDown,
            tcp::CLOSE => StateChange::Closed { error },
            unknown => return Err(DecodeError::State(unknown)),
        }),
    })
}

/// An address as the kernel side writes it; IPv4-mapped IPv6 is IPv4, whichever kind of socket spoke it.
pub(super) fn canonical(octets: [u8; 16]) -> IpAddr {
    const MAPPED: u128 = 0xffff;
    let bits = u128::from_be_bytes(octets);
    #[expect(clippy::cast_possible_truncation, reason = "the last 32 bits are the address")]
    if bits >> u32::BITS == MAPPED {
        Ipv4Addr::from_bits(bits as u32).into()
    } else {
        Ipv6Addr::from_bits(bits).into()
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
