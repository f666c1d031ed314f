use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};

use netlink_packet_core::{NetlinkDeserializable as _, NetlinkHeader};
use proptest::prelude::*;
use tracer_common::socket::tcp;

use super::{AF_INET, AF_INET6, Detail, Socket, Traffic, request};

fn decode(payload: &[u8]) -> Option<Socket> {
    Socket::deserialize(&NetlinkHeader::default(), payload).ok()
}

/// `struct inet_diag_msg` (`include/uapi/linux/inet_diag.h`).
fn message(family: u8, state: u8, local: &[u8], peer: &[u8]) -> Vec<u8> {
    let padded = |address: &[u8]| {
        let mut padded = address.to_vec();
        padded.resize(16, 0);
        padded
    };
    let mut bytes = vec![family, state, 0, 0];
    bytes.extend(9090_u16.to_be_bytes());
    bytes.extend(40_001_u16.to_be_bytes());
    bytes.extend(padded(local));
    bytes.extend(padded(peer));
    for word in [0_u32, 0x1111, 0x2222, 0, 3, 128, 1000, 4711] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// `struct tcp_info`, cut to what a kernel of some age knows.
fn info(length: usize) -> Vec<u8> {
    let mut info = vec![0; 248];
    info[44..48].copy_from_slice(&1500_u32.to_ne_bytes());
    info[52..56].copy_from_slice(&2500_u32.to_ne_bytes());
    info[120..128].copy_from_slice(&7_u64.to_ne_bytes());
    info[128..136].copy_from_slice(&8_u64.to_ne_bytes());
    info.truncate(length);
    info
}

#[test]
fn every_field_arrives_where_it_belongs() {
    let mut bytes = message(AF_INET, tcp::ESTABLISHED, &[10, 0, 0, 1], &[10, 0, 0, 2]);
    bytes.extend(attribute(99, b"unknown"));
    bytes.extend(attribute(2, &info(248)));
    let expected = Socket {
        cookie: u64::from_ne_bytes(
            [0x1111_u32.to_ne_bytes(), 0x2222_u32.to_ne_bytes()]
                .concat()
                .try_into()
                .unwrap(),
        ),
        inode: 4711,
        state: tcp::ESTABLISHED,
        local: "10.0.0.1:9090".parse().unwrap(),
        peer: "10.0.0.2:40001".parse().unwrap(),
        v6_only: false,
        queued: 0,
        queue_limit: 0,
        traffic: Traffic {
            since_sent: Duration::from_millis(1500),
            since_received: Duration::from_millis(2500),
            acked: 7,
            received: 8,
        },
    };
    assert_eq!(decode(&bytes), Some(expected));
}

#[test]
fn a_listener_tells_its_queue_and_its_family() {
    let mut bytes = message(AF_INET6, tcp::LISTEN, &[0; 16], &[0; 16]);
    let both = decode(&bytes).unwrap();
    assert_eq!((both.queued, both.queue_limit, both.v6_only), (3, 128, false));
    assert_eq!(both.local, "[::]:9090".parse().unwrap());
    bytes.extend(attribute(11, &[1]));
    assert!(decode(&bytes).unwrap().v6_only);
}

#[test]
fn mapped_addresses_are_those_of_version_four() {
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1];
    let socket = decode(&message(AF_INET6, tcp::ESTABLISHED, &mapped, &mapped)).unwrap();
    assert_eq!(socket.local, "10.0.0.1:9090".parse().unwrap());
}

#[test]
fn an_old_kernel_tells_less() {
    let mut bytes = message(AF_INET, tcp::ESTABLISHED, &[10, 0, 0, 1], &[10, 0, 0, 2]);
    bytes.extend(attribute(2, &info(104)));
    let traffic = decode(&bytes).unwrap().traffic;
    assert_eq!((traffic.acked, traffic.received), (0, 0));
    assert_eq!(traffic.since_received, Duration::from_millis(2500));
}

#[test]
fn a_request_asks_for_what_can_be_held() {
    for family in [AF_INET, AF_INET6] {
        let bytes = request(family, Detail::Traffic);
        assert_eq!(bytes.len(), 16 + 56);
        assert_eq!(&bytes[16..18], [family, 6], "family and protocol");
        let states = u32::from_ne_bytes(bytes[20..24].try_into().unwrap());
        for state in [
            tcp::ESTABLISHED,
            tcp::SYN_SENT,
            tcp::CLOSE_WAIT,
            tcp::FIN_WAIT2,
            tcp::LISTEN,
        ] {
            assert_ne!(states & 1 << state, 0, "state {state}");
        }
        assert_eq!(states & (1 << tcp::TIME_WAIT | 1 << tcp::CLOSE), 0);
    }
}

#[test]
fn the_kernel_tells_of_our_own_sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let sockets = super::super::netlink::Diag::open()
        .unwrap()
        .dump(Detail::Traffic)
        .unwrap();
    let at = |local, state| {
        let found: Vec<&Socket> = sockets
            .iter()
            .filter(|socket| socket.local == local && socket.state == state)
            .collect();
        assert_eq!(found.len(), 1, "{local} in state {state}: {found:?}");
        *found[0]
    };
    assert_eq!(at(address, tcp::LISTEN).queued, 1);
    let waiting = at(address, tcp::ESTABLISHED);
    let ours = at(client.local_addr().unwrap(), tcp::ESTABLISHED);
    assert_eq!((waiting.inode, waiting.peer), (0, client.local_addr().unwrap()));
    assert!(ours.inode != 0 && ours.peer == address);
    assert!(ours.cookie != waiting.cookie);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn any_attributes_are_survived(rest in prop::collection::vec(any::<u8>(), 0..100), family in 0..12_u8) {
        let mut bytes = message(family, tcp::ESTABLISHED, &[10, 0, 0, 1], &[10, 0, 0, 2]);
        bytes.extend(rest);
        let _ = decode(&bytes);
    }
}
