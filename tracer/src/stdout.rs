//! Stdout: whole lines or nothing.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anstream::{AutoStream, ColorChoice};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use thiserror::Error;

/// The reader of stdout went away, or stands still while we are told to stop: the quiet end of a pipeline, not a fault.
#[derive(Debug, Error)]
#[error("stdout was closed")]
pub struct Closed;

/// Writes text and lines at once.
pub struct Stdout {
    file: File,
    colour: ColorChoice,
    /// Set by the signals that end the tracer.
    stop: Arc<AtomicBool>,
}

impl Stdout {
    /// The process's stdout, unbuffered: a line is seen when it is written. Colours where they are wanted: on a
    /// terminal, unless `NO_COLOR` or `TERM=dumb` says otherwise.
    ///
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn new() -> io::Result<Self> {
        let stdout = io::stdout();
        let colour = AutoStream::choice(&stdout);
        // A duplicate of descriptor 1, which bypasses the standard library's line buffer.
        let file = File::from(stdout.as_fd().try_clone_to_owned()?);
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { file, colour, stop })
    }

    /// Writes `text`, which is one or several whole lines.
    ///
    /// # Errors
    /// [`Closed`] if nobody reads any more; otherwise why it cannot be written. What was half written to a file is
    /// taken back.
    pub fn write(&mut self, text: &str) -> anyhow::Result<()> {
        let mut bytes = Vec::with_capacity(text.len());
        AutoStream::new(&mut bytes, self.colour).write_all(text.as_bytes())?;
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            if !self.wait_until_writable() {
                self.take_back(written);
                return Err(Closed.into());
            }
            // So much fits where poll says that something fits (`PIPE_BUF`, pipe(7)).
            let rest = rest.get(..4096).unwrap_or(rest);
            match self.file.write(rest) {
                Ok(count) if count > 0 => written += count,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                    ) => {}
                failed => {
                    self.take_back(written);
                    let error = failed.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                    if error.kind() == io::ErrorKind::BrokenPipe {
                        return Err(Closed.into());
                    }
                    return Err(anyhow::Error::new(error).context("cannot write to stdout"));
                }
            }
        }
        Ok(())
    }

    /// Whether a signal told the tracer to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits for a reader that is slow, or stands still; false if told to stop meanwhile, for a write that blocks
    /// would be deaf to signals.
    fn wait_until_writable(&self) -> bool {
        const LISTEN_EVERY: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 200_000_000,
        };
        loop {
            let mut stdout = [PollFd::new(&self.file, PollFlags::OUT)];
            match poll(&mut stdout, Some(&LISTEN_EVERY)) {
                Ok(0) | Err(Errno::INTR) if self.stop.load(Ordering::Relaxed) => return false,
                Ok(0) | Err(Errno::INTR) => {}
                // Writable, or in an error that the write will name.
                Ok(_) | Err(_) => return true,
            }
        }
    }

    /// Notices that nobody reads any more, without having anything to write.
    ///
    /// # Errors
    /// [`Closed`], if so.
    pub fn check_reader(&self) -> anyhow::Result<()> {
        let mut stdout = [PollFd::new(&self.file, PollFlags::empty())];
        let immediately = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // The write end of a pipe without readers is in error (`pipe_poll`, fs/pipe.c).
        if poll(&mut stdout, Some(&immediately)).is_ok_and(|ready| ready > 0)
            && stdout
                .iter()
                .any(|stdout| stdout.revents().contains(PollFlags::ERR))
        {
            return Err(Closed.into());
        }
        Ok(())
    }

    /// Cuts a half written line off again, where stdout is a file: a program that reads it later must find whole
    /// lines only.
    fn take_back(&mut self, written: usize) {
        use std::io::Seek as _;
        let Ok(metadata) = self.file.metadata() else {
            return;
        };
        if !metadata.is_file() || written == 0 {
            return;
        }
        if let Ok(position) = self.file.stream_position() {
            if position != metadata.len() {
                // Somebody else writes to the same file, behind us: cutting would take their lines.
                log::warn!(
                    "the last line on stdout is incomplete, and the file has other writers: it stays so"
                );
                return;
            }
            let start = position.saturating_sub(written as u64);
            let cut = self
                .file
                .set_len(start)
                .and_then(|()| self.file.seek(io::SeekFrom::Start(start)));
            if let Err(error) = cut {
                log::warn!("the last line on stdout is incomplete and cannot be removed: {error}");
            }
        }
    }
}
