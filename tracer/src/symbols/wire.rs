//! Messages between the two halves of the helper: a length, bytes, and at most one open file.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    cmsg_space,
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
};

/// Bytes of a message; both sides send shorter ones.
pub const LONGEST: usize = 1 << 20;
/// Bytes of the length before it.
const HEAD: usize = 4;

/// Sends a message, and a file with it.
///
/// # Errors
/// When it is too long, or the other side is gone.
pub fn send(socket: &UnixStream, message: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    let whole = [&length.to_le_bytes(), message].concat();
    let mut rest = whole.as_slice();
    let mut files: Option<[BorrowedFd<'_>; 1]> = file.map(|file| [file]);
    while !rest.is_empty() {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if let Some(files) = &files {
            control.push(SendAncillaryMessage::ScmRights(files));
        }
        match sendmsg(socket, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL) {
            Ok(sent) => {
                // It went with the first byte.
                files = None;
                rest = rest.get(sent..).unwrap_or_default();
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Waits for a message that may bring a file; `None` if the other side has ended.
///
/// # Errors
/// When the other side breaks off, or says too much.
pub fn receive(socket: &UnixStream) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
    let mut file = None;
    let message = read_with(|buffer| {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            socket,
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                file = files.last().or(file.take());
            }
        }
        Ok(received.bytes)
    })?;
    Ok(message.map(|message| (message, file)))
}

/// Waits for a message. Files that come with it are not taken (`unix_stream_read_generic`, `net/unix/af_unix.c`, drops
/// them without room for control data).
///
/// # Errors
/// As [`receive`].
pub fn receive_no_file(socket: &UnixStream) -> io::Result<Option<Vec<u8>>> {
    read_with(|buffer| rustix::io::read(socket.as_fd(), buffer))
}

fn read_with(mut read: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Option<Vec<u8>>> {
    // Whether all of it came; nothing but the end may come before the first byte.
    let mut fill = |buffer: &mut [u8]| {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read(rest) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(length) => filled += length,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    };
    let mut head = [0; HEAD];
    if !fill(&mut head)? {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_le_bytes(head)).map_err(io::Error::other)?;
    if length > LONGEST {
        return Err(io::Error::other("a message that is too long"));
    }
    let mut message = vec![0; length];
    if length > 0 && !fill(&mut message)? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read as _, Write as _},
        os::unix::fs::MetadataExt as _,
        thread,
    };

    use super::*;

    #[test]
    fn messages_of_any_length_arrive_whole_with_their_files() {
        let (here, there) = UnixStream::pair().unwrap();
        let long = vec![7; LONGEST];
        let sent = long.clone();
        let sender = thread::spawn(move || {
            let file = File::open("/proc/self/exe").unwrap();
            send(&there, b"", None).unwrap();
            send(&there, b"short", Some(file.as_fd())).unwrap();
            send(&there, &sent, Some(file.as_fd())).unwrap();
            send(&there, b"last", None).unwrap();
        });
        let expected = std::fs::metadata("/proc/self/exe").unwrap().ino();
        for (message, has_file) in [
            (&b""[..], false),
            (b"short", true),
            (&long, true),
            (b"last", false),
        ] {
            let (received, file) = receive(&here).unwrap().unwrap();
            assert!(received == message, "{} bytes", received.len());
            let inode = file.map(|file| File::from(file).metadata().unwrap().ino());
            assert_eq!(inode, has_file.then_some(expected));
        }
        sender.join().unwrap();
        assert!(receive(&here).unwrap().is_none());
    }

    #[test]
    fn what_is_too_long_or_broken_off_is_refused() {
        for bytes in [&[0xff; 8][..], &[1, 0], &[4, 0, 0, 0, 1]] {
            let (here, mut there) = UnixStream::pair().unwrap();
            there.write_all(bytes).unwrap();
            drop(there);
            assert!(receive_no_file(&here).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn files_that_nobody_asked_for_are_not_taken() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&there, b"have this", Some(writer.as_fd())).unwrap();
        drop(writer);
        assert_eq!(receive_no_file(&here).unwrap().unwrap(), b"have this");
        // The end comes when nobody has the other one.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}
