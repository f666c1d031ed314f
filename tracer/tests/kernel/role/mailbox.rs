//! Test programs that send each other sockets.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::AsFd as _,
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
};

use anyhow::Context as _;
use rustix::{
    cmsg_space,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
};

use super::sockets::Sockets;
use crate::order::{End, SocketId};

/// Where a program gets sockets from others; one per message.
#[derive(Default)]
pub struct Mailbox(Option<UnixDatagram>);

impl Mailbox {
    pub fn open(&mut self) -> anyhow::Result<Vec<End>> {
        self.0 = Some(UnixDatagram::bind_addr(&address(process::id())?)?);
        Ok(Vec::new())
    }

    pub fn receive(&self, sockets: &mut Sockets, count: usize) -> anyhow::Result<Vec<End>> {
        let mailbox = self.0.as_ref().context("the mailbox is not open")?;
        (0..count)
            .map(|_| {
                let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut byte = [0];
                let iov = &mut [IoSliceMut::new(&mut byte)];
                recvmsg(mailbox, iov, &mut control, RecvFlags::CMSG_CLOEXEC)?;
                let socket = control.drain().find_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
                    _ => None,
                });
                sockets.keep(socket.context("a message without a socket")?)
            })
            .collect()
    }
}

/// Blocks while the other program's mailbox is full.
pub fn send(sockets: &Sockets, to: u32, ids: &[SocketId]) -> anyhow::Result<Vec<End>> {
    let mailbox = UnixDatagram::unbound()?;
    mailbox.connect_addr(&address(to)?)?;
    for id in ids {
        let rights = [sockets.get(*id)?.as_fd()];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits = control.push(SendAncillaryMessage::ScmRights(&rights));
        anyhow::ensure!(fits, "no room for a descriptor");
        sendmsg(&mailbox, &[IoSlice::new(b".")], &mut control, SendFlags::empty())?;
    }
    Ok(Vec::new())
}

/// The abstract address of a program's mailbox.
fn address(pid: u32) -> anyhow::Result<SocketAddr> {
    Ok(SocketAddr::from_abstract_name(format!("tracer-test-{pid}"))?)
}
