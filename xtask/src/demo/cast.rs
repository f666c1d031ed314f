//! The programs of the demo: started, listened to, and ended whatever happens.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Lines that a program is remembered by; it ends before it has said more.
const REMEMBERED: usize = 10_000;

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has done its work.
    ByItself,
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

/// A running program whose output is shown, each line behind its name.
pub(crate) struct Actor {
    name: &'static str,
    child: Child,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    news: Condvar,
}

impl Actor {
    /// Starts a program.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        crate::process::forget_cargo(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let said = Arc::new(Said::default());
        for stream in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)]
            .into_iter()
            .flatten()
        {
            let said = Arc::clone(&said);
            thread::spawn(move || said.listen(name, stream));
        }
        Ok(Self { name, child, said })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said a line that contains `words`.
    pub(crate) fn wait_for_line(&self, words: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut lines = self.said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while !lines.iter().any(|line| line.contains(words)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "{} did not say \"{words}\" within {} s",
                    self.name,
                    patience.as_secs()
                );
            }
            lines = self
                .said
                .news
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(())
    }

    /// Whether it has said a line that contains `words`.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        let lines = self.said.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().any(|line| line.contains(words))
    }

    /// Ends it, and fails unless it ends well within ten seconds.
    pub(crate) fn end(mut self, ending: Ending) -> Result<()> {
        let signal = match ending {
            Ending::ByItself => None,
            Ending::Terminate => Some(Signal::TERM),
            Ending::Interrupt => Some(Signal::INT),
        };
        if let (Some(signal), Some(pid)) = (
            signal,
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw),
        ) {
            kill_process(pid, signal).with_context(|| format!("cannot end {}", self.name))?;
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("{} ended badly: {status}", self.name);
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("{} did not end within 10 s", self.name)
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // It may have ended already; there is nobody left to tell.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.child.wait();
    }
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}

impl Said {
    fn listen(&self, name: &str, stream: Box<dyn Read + Send>) {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            println!("{name:>10} | {line}");
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() < REMEMBERED {
                lines.push(line);
            }
            self.news.notify_all();
        }
    }
}
