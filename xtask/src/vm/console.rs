//! The guest's console: copied to our output and to a log, watched for how the run ends.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::Ended;

/// How long a guest that has reported its exit code may take to power off.
const POWER_OFF: Duration = Duration::from_secs(15);

/// Follows the console until the guest is gone or `timeout` has passed.
pub(crate) fn follow(
    console: impl Read + Send + 'static,
    out: impl Write,
    log: impl Write,
    marker: &str,
    timeout: Duration,
) -> io::Result<Ended> {
    let chunks = read_in_thread(console);
    let mut watch = Watch {
        out,
        log,
        marker,
        line: Vec::new(),
        ended: None,
    };
    let mut deadline = Instant::now() + timeout;
    loop {
        match chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(chunk) => {
                let had_ended = watch.ended.is_some();
                watch.take(&chunk)?;
                if !had_ended && watch.ended.is_some() {
                    deadline = Instant::now() + POWER_OFF;
                }
            }
            Err(reason) => {
                watch.end_line()?;
                let silent_end = match reason {
                    RecvTimeoutError::Timeout => Ended::TimedOut,
                    RecvTimeoutError::Disconnected => Ended::Vanished,
                };
                return Ok(watch.ended.unwrap_or(silent_end));
            }
        }
    }
}

/// Reading blocks for as long as the guest says nothing, so it cannot keep the deadline itself.
fn read_in_thread(mut console: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, chunks) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = console.read(&mut buffer) {
            if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    chunks
}

struct Watch<'a, O, L> {
    out: O,
    log: L,
    marker: &'a str,
    line: Vec<u8>,
    ended: Option<Ended>,
}

impl<O: Write, L: Write> Watch<'_, O, L> {
    fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        for byte in chunk {
            match byte {
                b'\r' => {}
                b'\n' => self.end_line()?,
                byte => self.line.push(*byte),
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        let is_epilogue = self.ended.is_some();
        let text = String::from_utf8_lossy(&line).into_owned();
        if let Some((before, after)) = text.split_once(self.marker) {
            // The command's last line may lack its newline, so the marker need not start its line.
            self.ended = Some(after.trim().parse().map_or(Ended::Vanished, Ended::Exited));
            line = before.as_bytes().to_vec();
        } else if self.ended.is_none() && text.contains("Kernel panic - not syncing") {
            self.ended = Some(Ended::Panicked);
        }
        if line.is_empty() && self.ended.is_some() {
            return Ok(());
        }
        line.push(b'\n');
        self.log.write_all(&line)?;
        if is_epilogue && self.ended != Some(Ended::Panicked) {
            return Ok(());
        }
        // Nobody may be reading any more; the log is complete all the same.
        let _closed = self.out.write_all(&line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(console: &'static str) -> Ended {
        follow(
            console.as_bytes(),
            io::sink(),
            io::sink(),
            "MARK",
            Duration::from_secs(5),
        )
        .unwrap()
    }

    #[test]
    fn the_marker_carries_the_exit_code() {
        assert_eq!(ended("hello\r\nMARK 3\r\n"), Ended::Exited(3));
        assert_eq!(ended("no newline at its end MARK 0\r\n"), Ended::Exited(0));
    }

    #[test]
    fn lines_are_copied_without_marker_and_epilogue() {
        let (mut out, mut log) = (Vec::new(), Vec::new());
        let console = "a\r\nbMARK 0\r\nreboot: Power down\r\n";
        follow(
            console.as_bytes(),
            &mut out,
            &mut log,
            "MARK",
            Duration::from_secs(5),
        )
        .unwrap();
        assert_eq!(out, b"a\nb\n");
        assert_eq!(log, b"a\nb\nreboot: Power down\n");
    }

    #[test]
    fn a_panic_and_silence_are_not_success() {
        assert_eq!(
            ended("Kernel panic - not syncing: Attempted to kill init!\r\n"),
            Ended::Panicked
        );
        assert_eq!(ended("hello\r\n"), Ended::Vanished);
        assert_eq!(ended("MARK \r\n"), Ended::Vanished);
    }

    #[test]
    fn a_silent_guest_times_out() {
        let (reader, _writer) = io::pipe().unwrap();
        let ended = follow(reader, io::sink(), io::sink(), "MARK", Duration::from_millis(20)).unwrap();
        assert_eq!(ended, Ended::TimedOut);
    }
}
