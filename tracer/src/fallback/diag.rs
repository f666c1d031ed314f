//! TCP sockets as `sock_diag` tells them. Pure, and never panics.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Buf as _;
use netlink_packet_core::{
    DecodeError, Emitable as _, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NlasIterator, Parseable as _,
};
use netlink_packet_sock_diag::{
    INET_DIAG_INFO, INET_DIAG_SKV6ONLY, IPPROTO_TCP, SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags},
};
use tracer_common::socket::tcp;

pub use netlink_packet_sock_diag::{AF_INET, AF_INET6};

/// Length of `struct inet_diag_msg` before its attributes.
const HEADER: usize = 72;

/// One socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Identity: never used again while the machine runs, and since Linux 5.10 the same in all network namespaces
    /// (`__sock_gen_cookie`, `net/core/sock_diag.c`).
    pub cookie: u64,
    /// Inode number; 0 if no process has it: not yet, or not any more.
    pub inode: u64,
    /// TCP state.
    pub state: u8,
    /// This end, an IPv4-mapped address as IPv4.
    pub local: SocketAddr,
    /// The other end, likewise.
    pub peer: SocketAddr,
    /// Whether it is bound to IPv6 alone. Told of listening sockets only.
    pub v6_only: bool,
    /// Of a listening socket: how many wait to be accepted.
    pub queued: u32,
    /// Of a listening socket: how many may wait.
    pub queue_limit: u32,
    /// What TCP counted.
    pub traffic: Traffic,
}

/// Of `struct tcp_info`. What an old kernel does not tell is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Since data was last sent; since the handshake if none was. (Both times are set then: `tcp_finish_connect`,
    /// `net/ipv4/tcp_input.c`; `tcp_create_openreq_child`, `net/ipv4/tcp_minisocks.c`.)
    pub since_sent: Duration,
    /// Since data was last received, likewise.
    pub since_received: Duration,
    /// Bytes sent and acknowledged.
    pub acked: u64,
    /// Bytes received.
    pub received: u64,
}

/// How much to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Which sockets there are.
    Identity,
    /// What TCP counted, too: for that the kernel locks each socket.
    Traffic,
}

/// A request for all TCP sockets of a family that a process can hold or will get.
pub fn request(family: u8, detail: Detail) -> Vec<u8> {
    let socket_id = match family {
        AF_INET => SocketId::new_v4(),
        _ => SocketId::new_v6(),
    };
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: match detail {
            Detail::Identity => ExtensionFlags::empty(),
            Detail::Traffic => ExtensionFlags::INFO,
        },
        // Not CLOSE: those are in no table that is dumped. Not TIME_WAIT: nobody holds them, and there are many.
        states: StateFlags::all() - StateFlags::TIME_WAIT - StateFlags::CLOSE,
        socket_id,
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

impl NetlinkDeserializable for Socket {
    type Error = DecodeError;

    /// Reads the fixed part and two attributes. (The crate's own reader of answers fails on every attribute that it
    /// knows in another length.)
    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let header = InetResponseHeader::parse(payload)?;
        let id = header.socket_id;
        let address = |ip: IpAddr, port| SocketAddr::new(ip.to_canonical(), port);
        let mut socket = Self {
            cookie: u64::from_ne_bytes(id.cookie),
            inode: header.inode.into(),
            state: header.state,
            local: address(id.source_address, id.source_port),
            peer: address(id.destination_address, id.destination_port),
            v6_only: false,
            queued: 0,
            queue_limit: 0,
            traffic: Traffic::default(),
        };
        if socket.state == tcp::LISTEN {
            (socket.queued, socket.queue_limit) = (header.recv_queue, header.send_queue);
        }
        for attribute in NlasIterator::new(payload.get(HEADER..).unwrap_or_default()) {
            let attribute = attribute?;
            match attribute.kind() {
                INET_DIAG_INFO => socket.traffic = traffic(attribute.value()),
                INET_DIAG_SKV6ONLY => {
                    socket.v6_only = attribute.value().first().is_some_and(|only| *only != 0);
                }
                _ => {}
            }
        }
        Ok(socket)
    }
}

/// Reads `struct tcp_info` (`include/uapi/linux/tcp.h`) as far as it goes: it only ever grows at its end.
fn traffic(info: &[u8]) -> Traffic {
    let millis = |at| {
        let since = info.get(at..).and_then(|mut bytes| bytes.try_get_u32_ne().ok());
        Duration::from_millis(since.unwrap_or(0).into())
    };
    let count = |at| {
        let count = info.get(at..).and_then(|mut bytes| bytes.try_get_u64_ne().ok());
        count.unwrap_or(0)
    };
    Traffic {
        since_sent: millis(44),
        since_received: millis(52),
        acked: count(120),
        received: count(128),
    }
}

#[cfg(test)]
#[path = "diag_tests.rs"]
mod tests;
