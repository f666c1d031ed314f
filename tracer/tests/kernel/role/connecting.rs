//! Test programs that connect.

use std::{ffi::CStr, net::SocketAddr, os::fd::OwnedFd, thread};

use anyhow::Context as _;
use rustix::{
    io::Errno,
    net::{self, SocketFlags},
    thread::set_name,
};

use super::sockets::{self, Sockets};
use crate::order::{End, SocketId};

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

pub fn churn(to: &[SocketAddr], each: usize, threads: usize) -> anyhow::Result<Vec<End>> {
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            let to = to.to_vec();
            thread::spawn(move || {
                to.iter()
                    .cycle()
                    .take(each)
                    .try_for_each(|to| connected(*to, None).map(drop))
            })
        })
        .collect();
    threads.into_iter().try_for_each(|thread| joined(thread.join()))?;
    Ok(Vec::new())
}

/// A thread's result; its panic has been printed.
pub fn joined<T>(result: thread::Result<anyhow::Result<T>>) -> anyhow::Result<T> {
    result.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
}
