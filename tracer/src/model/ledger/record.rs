//! A connection as the books keep it: packed, for there may be a million.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::model::{
    chain::Links,
    connection::{Connection, ConnectionId, GroupKey, Phase, ProcessId, Traffic},
    fact::{Life, Start},
    slab::NONE,
    stack,
    time::Time,
};

/// One connection.
#[derive(Clone, Debug)]
pub(in crate::model) struct Record {
    pub(in crate::model) id: ConnectionId,
    /// When it was opened: accepted, or established; while connecting, when the attempt began.
    pub(in crate::model) opened: Time,
    /// When it got to its phase.
    pub(in crate::model) phase_since: Time,
    /// When its peer went, if that was seen.
    peer_gone_at: Time,
    /// What it carried, if that was told.
    traffic: Traffic,
    /// Number of the roll that it is on.
    pub(super) roll: u32,
    pub(super) links: Links,
    netns: u32,
    local: End,
    peer: End,
    /// Processes that hold it, as of the last snapshot.
    pub(in crate::model) holders: u16,
    pub(in crate::model) phase: Phase,
    /// It was there before anybody watched: it opened at `opened` or earlier.
    pub(in crate::model) older: bool,
    /// Whether anybody knows when it began to be held: then it was at `opened`.
    is_dated: bool,
    peer_gone: PeerGone,
    has_traffic: bool,
    pub(super) opener: Opener,
    /// By which code it was opened.
    pub(in crate::model) stack: stack::Opener,
}

/// Whether the peer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerGone {
    No,
    Older,
    Seen,
}

/// Who opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    /// Nobody saw that.
    Unknown,
    /// The process that it counts for.
    Holder,
    /// Another one, that is noted elsewhere: few have been passed on.
    Another,
}

/// An address and a port in 18 bytes. IPv4 is kept as IPv4-mapped IPv6, which nothing else is: addresses come normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    address: [u8; 16],
    port: u16,
}

impl End {
    fn of(end: SocketAddr) -> Self {
        let address = match end.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Self {
            address: address.octets(),
            port: end.port(),
        }
    }

    fn unpack(self) -> SocketAddr {
        SocketAddr::new(Ipv6Addr::from(self.address).to_canonical(), self.port)
    }
}

impl Record {
    /// Packs a connection. Its group and who opened it are for the [store](super::store::Connections) to keep.
    pub(super) fn of(id: ConnectionId, connection: &Connection) -> Self {
        let mut record = Self {
            id,
            opened: connection.opened,
            phase_since: connection.phase_since,
            peer_gone_at: Time(0),
            traffic: connection.traffic.unwrap_or_default(),
            roll: NONE,
            links: Links::default(),
            netns: connection.netns,
            local: End::of(connection.local),
            peer: End::of(connection.peer),
            holders: connection.holders,
            phase: connection.phase,
            older: connection.older,
            is_dated: connection.life.opened == Start::Seen(connection.opened),
            peer_gone: PeerGone::No,
            has_traffic: connection.traffic.is_some(),
            opener: Opener::Unknown,
            stack: connection.stack,
        };
        if let Some(since) = connection.life.peer_gone {
            record.lose_peer(since);
        }
        record
    }

    /// The connection, of this group and opened by that process.
    pub(super) fn unpack(&self, group: GroupKey, opener: Option<ProcessId>) -> Connection {
        Connection {
            group,
            local: self.local.unpack(),
            peer: self.peer.unpack(),
            netns: self.netns,
            opener,
            stack: self.stack,
            holders: self.holders,
            opened: self.opened,
            older: self.older,
            phase: self.phase,
            phase_since: self.phase_since,
            life: self.life(),
            traffic: self.traffic(),
        }
    }

    /// When it began to be held, and to be of no use.
    pub(in crate::model) fn life(&self) -> Life {
        Life {
            opened: if self.is_dated {
                Start::Seen(self.opened)
            } else {
                Start::Older
            },
            peer_gone: match self.peer_gone {
                PeerGone::No => None,
                PeerGone::Older => Some(Start::Older),
                PeerGone::Seen => Some(Start::Seen(self.peer_gone_at)),
            },
        }
    }

    /// What it carried; `None` if nobody told yet.
    pub(in crate::model) fn traffic(&self) -> Option<Traffic> {
        self.has_traffic.then_some(self.traffic)
    }

    /// Notes what it carried.
    pub(in crate::model) fn carry(&mut self, traffic: Traffic) {
        self.traffic = traffic;
        self.has_traffic = true;
    }

    /// It is open from this moment on.
    pub(in crate::model) fn open(&mut self, at: Time) {
        self.opened = at;
        self.is_dated = true;
        self.enter(Phase::Open, at);
    }

    /// Goes on to a phase. [Released](super::store::Connections::release) it is in another way.
    pub(in crate::model) fn enter(&mut self, phase: Phase, at: Time) {
        self.phase = phase;
        self.phase_since = at;
    }

    /// Notes that the peer is gone; whether that is news.
    pub(in crate::model) fn lose_peer(&mut self, since: Start) -> bool {
        if self.peer_gone != PeerGone::No {
            return false;
        }
        (self.peer_gone, self.peer_gone_at) = match since {
            Start::Older => (PeerGone::Older, Time(0)),
            Start::Seen(at) => (PeerGone::Seen, at),
        };
        true
    }

    /// The kernel has chosen a port for this end.
    pub(in crate::model) fn set_local_port(&mut self, port: u16) {
        self.local.port = port;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::connection::{Direction, Peer};

    #[test]
    fn a_record_is_small() {
        assert!(
            size_of::<Option<Record>>() <= 136,
            "{} bytes",
            size_of::<Option<Record>>()
        );
    }

    fn start() -> impl Strategy<Value = Start> {
        prop_oneof![
            any::<u64>().prop_map(|at| Start::Seen(Time(at))),
            Just(Start::Older)
        ]
    }

    fn phase() -> impl Strategy<Value = Phase> {
        prop_oneof![
            Just(Phase::Connecting),
            any::<u16>().prop_map(Phase::Failed),
            any::<bool>().prop_map(|given_up| Phase::Unaccepted { given_up }),
            Just(Phase::Open),
            Just(Phase::HalfClosedRemote),
            Just(Phase::HalfClosedLocal),
            Just(Phase::DeadHeld),
            Just(Phase::Released),
        ]
    }

    fn end() -> impl Strategy<Value = SocketAddr> {
        (any::<IpAddr>(), any::<u16>())
            .prop_map(|(address, port)| SocketAddr::new(address.to_canonical(), port))
    }

    fn traffic() -> impl Strategy<Value = Traffic> {
        any::<[u64; 4]>().prop_map(|[sent, received, last, noted]| Traffic {
            sent,
            received,
            last: Time(last),
            noted: Time(noted),
        })
    }

    proptest! {
        /// Nothing is lost on the way into the books and out again.
        #[test]
        fn what_is_packed_comes_out_again(
            (local, peer, netns, holders) in (end(), end(), any::<u32>(), any::<u16>()),
            (opened, older, is_dated) in (any::<u64>(), any::<bool>(), any::<bool>()),
            (phase, phase_since) in (phase(), any::<u64>()),
            (peer_gone, stack) in (prop::option::of(start()), any::<u64>()),
            traffic in prop::option::of(traffic()),
        ) {
            let opened = Time(opened);
            let group = GroupKey {
                process: ProcessId::KERNEL,
                direction: Direction::Inbound,
                peer: Peer::Other,
                service_port: 0,
            };
            let connection = Connection {
                group,
                local,
                peer,
                netns,
                opener: None,
                stack: stack::Opener::from_number(stack),
                holders,
                opened,
                older,
                phase,
                phase_since: Time(phase_since),
                life: Life {
                    opened: if is_dated { Start::Seen(opened) } else { Start::Older },
                    peer_gone,
                },
                traffic,
            };
            let record = Record::of(ConnectionId(1), &connection);
            prop_assert_eq!(record.unpack(group, None), connection);
        }
    }
}
