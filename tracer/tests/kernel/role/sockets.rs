//! The sockets that a test program holds.

use std::{
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use anyhow::Context as _;
use rustix::{
    net::{self, AddressFamily, Protocol, Shutdown, SocketFlags, SocketType, ipproto, sockopt},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::order::{End, Kind, SocketId};

/// All sockets ever made, by number; closed ones leave a gap.
#[derive(Default)]
pub struct Sockets(Vec<Option<OwnedFd>>);

impl Sockets {
    pub fn get(&self, id: SocketId) -> anyhow::Result<&OwnedFd> {
        let socket = self.0.get(id).and_then(Option::as_ref);
        socket.with_context(|| format!("there is no socket {id}"))
    }

    /// Holds a socket.
    pub fn keep(&mut self, socket: OwnedFd) -> anyhow::Result<End> {
        let end = end(self.0.len(), &socket)?;
        self.0.push(Some(socket));
        Ok(end)
    }

    pub fn bind(&mut self, address: SocketAddr, kind: Kind) -> anyhow::Result<End> {
        let protocol = (kind == Kind::Multipath).then_some(ipproto::MPTCP);
        let socket = with_protocol(address, SocketFlags::empty(), protocol)?;
        sockopt::set_socket_reuseport(&socket, kind == Kind::Shared)?;
        net::bind(&socket, &address).with_context(|| format!("cannot bind {address}"))?;
        self.keep(socket)
    }

    pub fn shut_down(&self, ids: &[SocketId]) -> anyhow::Result<Vec<End>> {
        for id in ids {
            net::shutdown(self.get(*id)?, Shutdown::Both)?;
        }
        Ok(Vec::new())
    }

    pub fn reset(&mut self, ids: &[SocketId]) -> anyhow::Result<Vec<End>> {
        for id in ids {
            sockopt::set_socket_linger(self.get(*id)?, Some(Duration::ZERO))?;
        }
        self.close(ids)
    }

    pub fn close(&mut self, ids: &[SocketId]) -> anyhow::Result<Vec<End>> {
        for id in ids {
            let place = self.0.get_mut(*id).context("no such socket")?;
            anyhow::ensure!(place.take().is_some(), "socket {id} is closed already");
        }
        Ok(Vec::new())
    }
}

/// A socket for addresses of that family, gone after an exec.
pub fn new(to: SocketAddr, more: SocketFlags) -> anyhow::Result<OwnedFd> {
    with_protocol(to, more, None)
}

fn with_protocol(to: SocketAddr, more: SocketFlags, protocol: Option<Protocol>) -> anyhow::Result<OwnedFd> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | more, protocol)?;
    if to.is_ipv6() {
        // Whatever the machine's default: these speak IPv4 too.
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    Ok(socket)
}

/// What there is to say about a socket.
pub fn end(id: SocketId, socket: impl AsFd) -> anyhow::Result<End> {
    let peer = match net::getpeername(socket.as_fd()) {
        Ok(Some(peer)) => Some(SocketAddr::try_from(peer)?),
        // Not connected, or reset already.
        Ok(None) | Err(_) => None,
    };
    Ok(End {
        id,
        local: SocketAddr::try_from(net::getsockname(socket)?)?,
        peer,
        errno: 0,
    })
}

/// Allows this program no descriptor of that number or above; root may go beyond what it was given.
pub fn limit(descriptors: u64) -> anyhow::Result<Vec<End>> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: Some(descriptors),
        maximum: maximum.map(|maximum| maximum.max(descriptors)),
    };
    setrlimit(Resource::Nofile, limit)?;
    Ok(Vec::new())
}
