//! The load: connections over loopback, both ends in this process, one after the other.
//!
//! Each is `socket`, `connect`, `accept4`, `close` of the client's end, `close` of the server's end; no byte is sent. On
//! one processor none of these calls waits: the handshake and the FINs are done within them, in softirq.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use anyhow::{Context as _, Result, ensure};

/// Where the server listens.
const PORT: u16 = 9090;
/// With three loads of this many, and `TIME_WAIT` between them, no port is used twice.
const MOST: u32 = 8_000;

/// A listener, and how many connections to make to it.
pub(crate) struct Load {
    listener: TcpListener,
    target: SocketAddr,
    connections: u32,
}

impl Load {
    /// Listens.
    pub(crate) fn new(connections: u32) -> Result<Self> {
        ensure!(connections <= MOST, "a load has at most {MOST} connections");
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let listener = TcpListener::bind(target).with_context(|| format!("cannot listen on {target}"))?;
        Ok(Self {
            listener,
            target,
            connections,
        })
    }

    /// Opens and closes all of them.
    pub(crate) fn run(&self) -> Result<()> {
        for _ in 0..self.connections {
            let client = TcpStream::connect(self.target).context("cannot connect")?;
            let (server, _) = self.listener.accept().context("cannot accept")?;
            drop(client);
            drop(server);
        }
        Ok(())
    }
}
