//! Test programs that connect.

use std::{
    ffi::CStr,
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    thread,
};

use anyhow::Context as _;
use rustix::{
    io::Errno,
    net::{self, SendFlags, SocketFlags},
    thread::set_name,
};

use super::sockets::{self, Sockets};
use crate::order::{End, SocketId};

/// `include/linux/socket.h`.
const MSG_FASTOPEN: SendFlags = SendFlags::from_bits_retain(0x2000_0000);

pub fn connect(
    sockets: &mut Sockets,
    to: SocketAddr,
    from: Option<SocketAddr>,
    count: usize,
) -> anyhow::Result<Vec<End>> {
    (0..count).map(|_| sockets.keep(connected(to, from)?)).collect()
}

fn connected(to: SocketAddr, from: Option<SocketAddr>) -> anyhow::Result<OwnedFd> {
    let socket = sockets::new(to, SocketFlags::empty())?;
    if let Some(from) = from {
        net::bind(&socket, &from)?;
    }
    net::connect(&socket, &to).with_context(|| format!("cannot connect to {to}"))?;
    Ok(socket)
}

pub fn in_thread(
    sockets: &mut Sockets,
    name: &CStr,
    to: SocketAddr,
    count: usize,
) -> anyhow::Result<Vec<End>> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            set_name(name)?;
            connect(sockets, to, None, count)
        });
        joined(thread.join())
    })
}

/// With `MSG_FASTOPEN`, `tcp_connect` runs within a sendmsg.
pub fn fast(sockets: &mut Sockets, to: SocketAddr) -> anyhow::Result<End> {
    let socket = sockets::new(to, SocketFlags::empty())?;
    net::sendto(&socket, b"hello", MSG_FASTOPEN, &to)?;
    sockets.keep(socket)
}

pub fn attempt(sockets: &mut Sockets, to: SocketAddr, nonblocking: bool) -> anyhow::Result<End> {
    let flags = if nonblocking {
        SocketFlags::NONBLOCK
    } else {
        SocketFlags::empty()
    };
    let socket = sockets::new(to, flags)?;
    let errno = errno_of(net::connect(&socket, &to));
    let end = sockets.keep(socket)?;
    Ok(End { errno, ..end })
}

pub fn retry(sockets: &Sockets, id: SocketId, to: SocketAddr) -> anyhow::Result<End> {
    let socket = sockets.get(id)?;
    let errno = errno_of(net::connect(socket, &to));
    let end = sockets::end(id, socket)?;
    Ok(End { errno, ..end })
}

fn errno_of(result: Result<(), Errno>) -> i32 {
    result.map_or_else(Errno::raw_os_error, |()| 0)
}

pub fn churn(
    to: &[SocketAddr],
    from: Option<(Ipv4Addr, usize)>,
    each: usize,
    threads: usize,
) -> anyhow::Result<Vec<End>> {
    let threads: Vec<_> = (0..threads)
        .map(|thread| {
            let to = to.to_vec();
            thread::spawn(move || {
                let turns = thread * each..(thread + 1) * each;
                to.iter().cycle().zip(turns).try_for_each(|(to, turn)| {
                    let from = from.map(|(first, many)| nth(first, turn % many)).transpose()?;
                    connected(*to, from).map(drop)
                })
            })
        })
        .collect();
    threads.into_iter().try_for_each(|thread| joined(thread.join()))?;
    Ok(Vec::new())
}

/// The address so many after the first, and any port.
fn nth(first: Ipv4Addr, turn: usize) -> anyhow::Result<SocketAddr> {
    let address = Ipv4Addr::from_bits(first.to_bits() + u32::try_from(turn)?);
    Ok(SocketAddr::new(address.into(), 0))
}

/// A thread's result; its panic has been printed.
pub fn joined<T>(result: thread::Result<anyhow::Result<T>>) -> anyhow::Result<T> {
    result.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
}
