//! The tracer beside the load, and its books against what the load knows.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::Value;

use crate::process;

/// Records of a connection, both ends traced: opened, established, released; accepted, half closed, released.
const RECORDS: u64 = 6;
/// What is lost is healed by the next comparison with the kernel's tables, which a loss brings forward.
const HEALS_WITHIN: Duration = Duration::from_secs(3);

/// A running tracer.
pub(super) struct Tracer {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

/// What its books say in the end.
#[derive(Serialize)]
pub(super) struct Books {
    /// Ends of connections that the load made.
    pub(super) ends: u64,
    /// Records that they take.
    pub(super) expected: u64,
    /// Of these, lost, by the tracer's own count.
    pub(super) lost: u64,
    /// And by nobody's.
    pub(super) uncounted: u64,
    pub(super) opened: u64,
    pub(super) open: u64,
}

impl Tracer {
    pub(super) fn start(program: &Path, ports: impl Iterator<Item = u16>) -> Result<Self> {
        let mut command = Command::new(program);
        for port in ports {
            command.args(["--port", &port.to_string()]);
        }
        command
            .args(["--output", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        process::forget_cargo(&mut command);
        let mut child = command.spawn().context("cannot start the tracer")?;
        let output = child.stdout.take().context("the tracer has no stdout")?;
        let mut tracer = Self {
            child,
            output: BufReader::new(output),
        };
        let mut line = String::new();
        tracer.output.read_line(&mut line)?;
        ensure!(
            line.contains("started"),
            "the tracer did not start: {}",
            line.trim_end()
        );
        Ok(tracer)
    }

    /// Ends it, after so many connections.
    pub(super) fn finish(mut self, connections: u32) -> Result<Books> {
        thread::sleep(HEALS_WITHIN);
        let pid = i32::try_from(self.child.id())?;
        let pid = Pid::from_raw(pid).context("a process has a number")?;
        kill_process(pid, Signal::INT).context("cannot end the tracer")?;
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the tracer failed ({status})");
        let last = text
            .lines()
            .last()
            .context("the tracer told nothing in the end")?;
        Books::of(&serde_json::from_str(last)?, connections)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // It has ended already unless something failed.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<_> = self.child.wait();
    }
}

impl Books {
    fn of(summary: &Value, connections: u32) -> Result<Self> {
        let number = |pointer: &str| {
            let value = summary.pointer(pointer).and_then(Value::as_u64);
            value.with_context(|| format!("the tracer's summary says nothing at {pointer}"))
        };
        let expected = u64::from(connections) * RECORDS;
        let (seen, received) = (number("/books/seen")?, number("/books/received")?);
        let lost = number("/books/ring_full")? + number("/books/map_full")? + number("/books/unreadable")?;
        Ok(Self {
            ends: u64::from(connections) * 2,
            expected,
            lost,
            // What follows a lost opening is not seen, and not expected.
            uncounted: (seen - received.min(seen)).saturating_sub(lost),
            opened: number("/total/opened")?,
            open: number("/total/open")?,
        })
    }

    /// Whether they are right.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self) -> Result<()> {
        if self.uncounted > 0 || (self.lost == 0 && self.opened != self.ends) {
            bail!(
                "{} of {} ends were counted, {} records lost and counted, {} not counted",
                self.opened,
                self.ends,
                self.lost,
                self.uncounted
            );
        }
        ensure!(
            self.open == 0,
            "{} connections are open in the books, and none is",
            self.open
        );
        Ok(())
    }
}
