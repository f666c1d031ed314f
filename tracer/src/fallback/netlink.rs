//! Asks the kernel for its TCP sockets.

use std::{os::fd::OwnedFd, time::Duration};

use netlink_packet_core::{NLMSG_ALIGNTO, NetlinkMessage, NetlinkPayload};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use thiserror::Error;

use super::diag::{AF_INET, AF_INET6, Detail, Socket, request};

/// The kernel fills at most 32 KiB at a time (`netlink_dump`, `net/netlink/af_netlink.c`).
const ANSWER: usize = 64 * 1024;
/// An answer is there at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there are no sockets to see.
#[derive(Debug, Error)]
pub enum DumpError {
    /// The kernel refused.
    #[error("the kernel does not list its sockets: {0}")]
    Refused(#[from] Errno),
    /// What it said was not understood.
    #[error("the kernel's list of sockets makes no sense: {0}")]
    Nonsense(String),
}

/// A way to ask one network namespace: that of the thread that opened it, whoever uses it later.
pub struct Diag(OwnedFd);

impl Diag {
    /// For the calling thread's namespace.
    ///
    /// # Errors
    /// When the kernel has no `sock_diag`.
    pub fn open() -> Result<Self, Errno> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// The TCP sockets of the namespace, those that listen included.
    ///
    /// # Errors
    /// When the kernel refuses, or says what is not understood.
    pub fn dump(&self, detail: Detail) -> Result<Vec<Socket>, DumpError> {
        let mut sockets = Vec::new();
        let mut answer = vec![0; ANSWER];
        self.ask(AF_INET, detail, &mut answer, &mut sockets)?;
        match self.ask(AF_INET6, detail, &mut answer, &mut sockets) {
            // A kernel without IPv6 has no handler for it (`sock_diag_handlers`, `net/core/sock_diag.c`).
            Err(DumpError::Refused(Errno::NOENT)) => {}
            result => result?,
        }
        Ok(sockets)
    }

    fn ask(
        &self,
        family: u8,
        detail: Detail,
        answer: &mut [u8],
        sockets: &mut Vec<Socket>,
    ) -> Result<(), DumpError> {
        send(&self.0, &request(family, detail), SendFlags::empty())?;
        loop {
            let (_, length) = match recv(&self.0, &mut *answer, RecvFlags::TRUNC) {
                Err(Errno::INTR) => continue,
                received => received?,
            };
            let messages = answer
                .get(..length)
                .ok_or_else(|| DumpError::Nonsense(format!("{length} bytes at once")))?;
            if read_messages(messages, sockets)? {
                return Ok(());
            }
        }
    }
}

/// Reads the messages of one answer; says whether it is the last.
///
/// # Errors
/// When the kernel refuses, or says what is not understood.
pub fn read_messages(mut messages: &[u8], sockets: &mut Vec<Socket>) -> Result<bool, DumpError> {
    while !messages.is_empty() {
        let message = NetlinkMessage::<Socket>::deserialize(messages)
            .map_err(|error| DumpError::Nonsense(error.to_string()))?;
        match message.payload {
            NetlinkPayload::InnerMessage(socket) => sockets.push(socket),
            NetlinkPayload::Done(done) if done.code == 0 => return Ok(true),
            NetlinkPayload::Done(done) => return Err(refused(done.code)),
            NetlinkPayload::Error(error) => return Err(refused(error.raw_code())),
            NetlinkPayload::Noop => {}
            _ => return Err(DumpError::Nonsense("messages were lost".to_owned())),
        }
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
        let aligned = length.checked_next_multiple_of(usize::from(NLMSG_ALIGNTO));
        messages = aligned.and_then(|at| messages.get(at..)).unwrap_or_default();
    }
    Ok(false)
}

/// From a negated error number. (Making an [`Errno`] of anything else panics.)
fn refused(code: i32) -> DumpError {
    match code.checked_neg() {
        Some(errno @ 1..=4095) => Errno::from_raw_os_error(errno).into(),
        _ => DumpError::Nonsense(format!("error {code}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_messages(&bytes, &mut Vec::new());
        }
    }

    #[test]
    fn a_refusal_is_told() {
        let refused = read_messages(&done(-13), &mut Vec::new());
        assert!(
            matches!(refused, Err(DumpError::Refused(Errno::ACCESS))),
            "{refused:?}"
        );
        for code in [1, 4096, -4096, i32::MIN] {
            let nonsense = read_messages(&done(code), &mut Vec::new());
            assert!(
                matches!(nonsense, Err(DumpError::Nonsense(_))),
                "{code}: {nonsense:?}"
            );
        }
        assert!(read_messages(&done(0), &mut Vec::new()).unwrap());
        assert!(!read_messages(&[], &mut Vec::new()).unwrap());
    }

    /// `NLMSG_DONE` with a code.
    fn done(code: i32) -> Vec<u8> {
        let mut bytes = vec![20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&code.to_ne_bytes());
        bytes
    }
}
