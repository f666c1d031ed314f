//! Small numbers that both sides agree on: directions, TCP states, address families.

/// Who started the connection, seen from the process that holds it.
pub mod direction {
    /// The process connected.
    pub const OUTBOUND: u8 = 1;
    /// The process accepted.
    pub const INBOUND: u8 = 2;
}

/// TCP states, as the kernel numbers them (`include/net/tcp_states.h`, user-visible ABI).
pub mod tcp {
    /// Open.
    pub const ESTABLISHED: u8 = 1;
    /// SYN sent, no answer yet.
    pub const SYN_SENT: u8 = 2;
    /// SYN received, handshake not finished.
    pub const SYN_RECV: u8 = 3;
    /// We sent FIN first.
    pub const FIN_WAIT1: u8 = 4;
    /// Our FIN was acknowledged.
    pub const FIN_WAIT2: u8 = 5;
    /// Waiting out old segments.
    pub const TIME_WAIT: u8 = 6;
    /// No connection.
    pub const CLOSE: u8 = 7;
    /// The peer sent FIN, we have not closed.
    pub const CLOSE_WAIT: u8 = 8;
    /// The peer closed, then we sent FIN.
    pub const LAST_ACK: u8 = 9;
    /// Listening.
    pub const LISTEN: u8 = 10;
    /// Both sent FIN at once.
    pub const CLOSING: u8 = 11;
}

/// `AF_INET` (`include/linux/socket.h`).
pub const AF_INET: u16 = 2;
/// `AF_INET6` (`include/linux/socket.h`).
pub const AF_INET6: u16 = 10;
/// `IPPROTO_TCP` (`include/uapi/linux/in.h`).
pub const IPPROTO_TCP: u16 = 6;

/// `IPPROTO_MPTCP` (`include/uapi/linux/in.h`).
pub const IPPROTO_MPTCP: u16 = 262;

/// What the kernel side remembers of a tracked socket, from its opening until the process lets it go. Packed, it is the
/// value of the map [`SOCKS`](crate::names::map::SOCKS), keyed by the address of `struct sock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SockRecord {
    /// Identity of the connection (see [`Opened::id`](crate::event::Opened::id)).
    pub id: u64,
    /// One of [`stage`].
    pub stage: u64,
}

impl SockRecord {
    /// Bits of the stage.
    const STAGE: u32 = 2;

    /// Both in one word; never 0, for no connection has the identity 0. An identity has 62 bits: more than a machine
    /// opens.
    #[must_use]
    pub const fn pack(self) -> u64 {
        (self.id << Self::STAGE) | self.stage
    }

    /// What [`pack`](Self::pack) has put into a word.
    #[must_use]
    pub const fn unpack(word: u64) -> Self {
        Self {
            id: word >> Self::STAGE,
            stage: word & ((1 << Self::STAGE) - 1),
        }
    }
}

/// How far the kernel side has followed a socket.
pub mod stage {
    /// Connecting or open; the process has it.
    pub const HELD: u64 = 0;
    /// TCP state CLOSE was reached while the process still has it.
    pub const DEAD: u64 = 1;
    /// A snapshot found it before any hook reported it. A hook that comes an instant later takes the identity over.
    pub const FOUND: u64 = 2;
    /// A snapshot found it in the accept queue of its listener: no process has it yet. Accept takes the identity over.
    pub const WAITING: u64 = 3;
}

/// An IPv4 address in its IPv4-mapped IPv6 form, the only form in records and filters (RFC 4291 §2.5.5.2).
pub const fn v4_mapped(v4: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = v4;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_word() {
        for stage in [stage::HELD, stage::DEAD, stage::FOUND, stage::WAITING] {
            for id in [1, 2, 0x3fff_ffff_ffff_ffff] {
                let record = SockRecord { id, stage };
                assert_ne!(record.pack(), 0);
                assert_eq!(SockRecord::unpack(record.pack()), record);
            }
        }
    }
}
