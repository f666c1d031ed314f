//! A child's output, line by line, never waiting for ever.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that takes milliseconds on an idle machine. A guest with emulated processors on a busy
/// host is a hundred times slower.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The lines of a pipe, without their newlines.
pub struct Lines(Receiver<Vec<u8>>);

/// What came of waiting for a line.
pub enum Next {
    /// A line.
    Line(Vec<u8>),
    /// The pipe was closed.
    End,
    /// Nothing yet.
    Nothing,
}

impl Lines {
    /// Reads in a thread, so that waiting can be bounded and the child never blocks on a full pipe.
    pub fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                // The test may be over; the pipe must be emptied all the same.
                let _: Result<(), _> = sender.send(line);
            }
        });
        Self(lines)
    }

    /// The next line, waited for until `deadline`.
    pub fn next(&self, deadline: Instant) -> Next {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.0.recv_timeout(left) {
            Ok(line) => Next::Line(line),
            Err(RecvTimeoutError::Disconnected) => Next::End,
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
        }
    }

    /// Everything up to the end of the pipe, or what came in time.
    pub fn rest(&self, deadline: Instant) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| match self.next(deadline) {
            Next::Line(line) => Some(line),
            Next::End | Next::Nothing => None,
        })
        .collect()
    }
}

/// Looks again and again until `look` finds something.
///
/// # Errors
/// When it found nothing in time, or failed.
pub fn poll<T>(what: &str, mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
