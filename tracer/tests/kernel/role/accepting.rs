//! Test programs that accept.

use std::{
    fs,
    os::fd::{AsFd as _, OwnedFd},
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
};

use rustix::{
    io::Errno,
    net::{self, SocketFlags},
    thread::{Pid, gettid},
};

use super::{connecting::joined, sockets::Sockets};
use crate::{
    lines::poll,
    order::{End, SocketId},
};

/// The numbers of accept and accept4.
#[cfg(target_arch = "x86_64")]
const ACCEPTS: [&str; 2] = ["43", "288"];
#[cfg(not(target_arch = "x86_64"))]
const ACCEPTS: [&str; 2] = ["202", "242"];

pub fn accept(sockets: &mut Sockets, listener: SocketId, count: usize) -> anyhow::Result<Vec<End>> {
    (0..count)
        .map(|turn| {
            let socket = one(sockets.get(listener)?, turn)?;
            sockets.keep(socket)
        })
        .collect()
}

/// As a server that leaks: it ends with `EMFILE`, and what waits keeps waiting.
pub fn until_full(sockets: &mut Sockets, listener: SocketId) -> anyhow::Result<Vec<End>> {
    let mut ends = Vec::new();
    loop {
        match net::accept(sockets.get(listener)?) {
            Ok(socket) => ends.push(sockets.keep(socket)?),
            Err(Errno::MFILE) => return Ok(ends),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The two system calls in turn: the tracer hooks each for itself.
fn one(listener: &OwnedFd, turn: usize) -> anyhow::Result<OwnedFd> {
    Ok(if turn.is_multiple_of(2) {
        net::accept(listener)?
    } else {
        net::accept_with(listener, SocketFlags::CLOEXEC)?
    })
}

pub fn churn(listener: &OwnedFd, each: usize, threads: usize) -> anyhow::Result<Vec<End>> {
    let threads = (0..threads)
        .map(|_| {
            let listener = listener.as_fd().try_clone_to_owned()?;
            Ok(thread::spawn(move || {
                (0..each).try_for_each(|turn| one(&listener, turn).map(drop))
            }))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    threads.into_iter().try_for_each(|thread| joined(thread.join()))?;
    Ok(Vec::new())
}

/// Threads blocked in accept, and then with what they took.
#[derive(Default)]
pub struct Blocked(Vec<JoinHandle<anyhow::Result<Vec<OwnedFd>>>>);

impl Blocked {
    pub fn start(listener: &OwnedFd, each: usize, threads: usize) -> anyhow::Result<Self> {
        let (sender, started) = channel();
        let handles = (0..threads)
            .map(|_| {
                let listener = listener.as_fd().try_clone_to_owned()?;
                let sender: Sender<Pid> = sender.clone();
                Ok(thread::spawn(move || {
                    sender.send(gettid())?;
                    (0..each).map(|turn| one(&listener, turn)).collect()
                }))
            })
            .collect::<anyhow::Result<_>>()?;
        for thread in started.iter().take(threads) {
            poll("a thread blocked in accept", || {
                Ok(is_blocked_in_accept(thread)?.then_some(()))
            })?;
        }
        Ok(Self(handles))
    }

    /// Waits for the threads and takes over their sockets.
    pub fn finish(&mut self, sockets: &mut Sockets) -> anyhow::Result<Vec<End>> {
        let mut ends = Vec::new();
        for thread in self.0.drain(..) {
            for socket in joined(thread.join())? {
                ends.push(sockets.keep(socket)?);
            }
        }
        Ok(ends)
    }
}

/// A running thread's file says so; a blocked one's starts with the number of its system call (`proc_pid_syscall(5)`).
fn is_blocked_in_accept(thread: Pid) -> anyhow::Result<bool> {
    let path = format!("/proc/self/task/{}/syscall", thread.as_raw_nonzero());
    let text = fs::read_to_string(path)?;
    Ok(text
        .split(' ')
        .next()
        .is_some_and(|number| ACCEPTS.contains(&number)))
}
