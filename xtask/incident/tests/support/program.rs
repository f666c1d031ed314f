//! One role of the incident as a child process.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

/// No line and no exit takes longer on a machine that works.
const PATIENCE: Duration = Duration::from_secs(4);

/// A running role; killed when dropped, so that a failed test leaves nothing behind.
pub(crate) struct Program {
    child: Child,
    pub(crate) stdout: Receiver<String>,
    pub(crate) stderr: Receiver<String>,
}

impl Program {
    /// Starts `incident` with these arguments, separated by spaces.
    pub(crate) fn start(arguments: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_incident"))
            .args(arguments.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start incident")?;
        let stdout = lines_of(child.stdout.take().context("no stdout")?);
        let stderr = lines_of(child.stderr.take().context("no stderr")?);
        Ok(Self {
            child,
            stdout,
            stderr,
        })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and returns how the process ended.
    pub(crate) fn terminate(self) -> anyhow::Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        self.finish()
    }

    /// Kills the process, which has then no chance to close anything itself.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the process to end by itself.
    pub(crate) fn finish(mut self) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            anyhow::ensure!(Instant::now() < deadline, "the process does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail harmlessly for a child that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on in a thread, so that waiting for a line can be bounded and the child never blocks on a full pipe.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // The receiver may have gone; the pipe must be emptied all the same.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// Waits for the first line that contains `text`.
pub(crate) fn line_with(lines: &Receiver<String>, text: &str) -> anyhow::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let line = lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .with_context(|| format!("no line with '{text}'"))?;
        if line.contains(text) {
            return Ok(line);
        }
    }
}
