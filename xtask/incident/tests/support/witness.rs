//! What the kernel says about the connections, in /proc/net/tcp: independent of anything the programs print.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Closing over loopback is quick, but a full server looks at its backlog only once a second.
const PATIENCE: Duration = Duration::from_secs(3);

const ESTABLISHED: u8 = 1;
const TIME_WAIT: u8 = 6;
const LISTEN: u8 = 10;

/// One TCP socket of this network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Socket {
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
    state: u8,
}

impl Socket {
    pub(crate) fn is_established(&self) -> bool {
        self.state == ESTABLISHED
    }
}

/// Waits until both ends of the connections to `server` are as expected.
///
/// Not a single look: the table is read in pieces, so while any other connection of the machine opens or closes, one
/// look may show a socket twice or not at all.
pub(crate) fn wait_until(
    server: SocketAddrV4,
    what: &str,
    expected: impl Fn(&BTreeSet<Socket>) -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sockets = open_sockets(server)?;
        if expected(&sockets) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "expected {what}, there are {}: {sockets:?}",
            sockets.len()
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until both ends of all connections to `server` are closed.
pub(crate) fn wait_all_closed(server: SocketAddrV4) -> anyhow::Result<()> {
    wait_until(server, "no open sockets", BTreeSet::is_empty)
}

/// Both ends of all connections to `server` that somebody has yet to close: everything but the listener and
/// `TIME_WAIT`, which no process owns.
fn open_sockets(server: SocketAddrV4) -> anyhow::Result<BTreeSet<Socket>> {
    let mut sockets = BTreeSet::new();
    for line in fs::read_to_string("/proc/net/tcp")?.lines().skip(1) {
        let socket = parse(line).with_context(|| format!("unexpected line: {line}"))?;
        let of_server = socket.local == server || socket.remote == server;
        if of_server && socket.state != LISTEN && socket.state != TIME_WAIT {
            sockets.insert(socket);
        }
    }
    Ok(sockets)
}

/// Lines are `sl: local:port remote:port state ...`, all in hexadecimal.
fn parse(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    Some(Socket {
        local: address(fields.next()?)?,
        remote: address(fields.next()?)?,
        state: u8::from_str_radix(fields.next()?, 16).ok()?,
    })
}

/// The address is printed as the host's integer over bytes in network order.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (ip, port) = text.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddrV4::new(ip, u16::from_str_radix(port, 16).ok()?))
}
