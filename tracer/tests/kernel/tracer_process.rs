//! The tracer as a child process.

use std::{
    ffi::OsStr,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    context::Context,
    ledger::Ledger,
    lines::{Lines, Next, PATIENCE, poll},
    said::{Heard, Last},
    stream::{Alert, Body, Record, Stall, Table},
};

/// A running tracer that prints JSON; killed when dropped.
pub struct Tracer {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    heard: Heard,
}

/// How to start a tracer; nothing is added to what the test wants.
pub fn command(context: &Context) -> Command {
    let mut command = Command::new(&context.program);
    command
        .args(["--backend", context.backend.name()])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Tracer {
    /// Starts a tracer that watches these ports, and waits until it is attached.
    pub fn start(context: &Context, ports: &[u16]) -> anyhow::Result<Self> {
        Self::start_with(context, ports, [""; 0])
    }

    /// The same with more arguments.
    pub fn start_with(
        context: &Context,
        ports: &[u16],
        more: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> anyhow::Result<Self> {
        let mut tracer = Self::launch(context, ports, more)?;
        tracer.attached(context)?;
        Ok(tracer)
    }

    /// Starts a tracer without waiting for it.
    pub fn launch(
        context: &Context,
        ports: &[u16],
        more: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> anyhow::Result<Self> {
        let mut command = command(context);
        command.args(["--output", "json", "--interval", "100ms", "--rows", "1000"]);
        for port in ports {
            command.args(["--port", &port.to_string()]);
        }
        command.args(more);
        Self::run(&mut command)
    }

    /// Runs a command that was made with [`command`].
    pub fn run(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdout = Lines::of(child.stdout.take().context("no stdout")?);
        let stderr = Lines::of(child.stderr.take().context("no stderr")?);
        Ok(Self {
            child,
            stdout,
            stderr,
            heard: Heard::default(),
        })
    }

    /// Waits for the first line, which must say that the backend asked for is attached, verified, and misses nothing.
    pub fn attached(&mut self, context: &Context) -> anyhow::Result<()> {
        let degraded = self.attached_degraded(context)?;
        ensure!(degraded.is_empty(), "degraded: {degraded:?}");
        Ok(())
    }

    /// The same, but for what it misses.
    pub fn attached_degraded(&mut self, context: &Context) -> anyhow::Result<Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        let Some(record) = self.record(deadline)? else {
            let stderr = text(self.stderr.rest(deadline)).join("; ");
            bail!("the tracer did not start: {stderr}");
        };
        let Body::Started(started) = record.body else {
            bail!("the first line does not say what is attached: {record:?}");
        };
        ensure!(started.backend == context.backend.name(), "it runs {started:?}");
        ensure!(started.verified == Some(true), "not verified: {started:?}");
        Ok(started.degraded)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// The next line; `None` if stdout was closed.
    pub fn record(&mut self, deadline: Instant) -> anyhow::Result<Option<Record>> {
        match self.stdout.next(deadline) {
            Next::Line(line) => {
                let record = parse(&line)?;
                self.heard.note(&record.body);
                Ok(Some(record))
            }
            Next::End => Ok(None),
            Next::Nothing => bail!("the tracer prints nothing"),
        }
    }

    /// Waits for a table that says exactly this.
    pub fn expect(&mut self, what: &str, truth: &Ledger) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Whatever the time, one more table, to say what it says.
            let ledger = self.next_ledger(deadline + PATIENCE)?;
            if ledger == *truth {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{what}: the tracer says\n{ledger}but the truth is\n{truth}"
            );
        }
    }

    /// Lets so much time pass, reading what is said.
    pub fn wait(&mut self, span: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.next_ledger(end + PATIENCE)?;
        }
        Ok(())
    }

    /// Waits for a table with which `check` finds nothing wrong.
    pub fn expect_table(
        &mut self,
        what: &str,
        mut check: impl FnMut(&Table) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let table = self.next_table(deadline + PATIENCE)?;
            match check(&table) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    return Err(error.context(format!("{what}: the tracer says {table:?}")));
                }
                Err(_) => {}
            }
        }
    }

    /// The next table, as counts.
    pub fn next_ledger(&mut self, deadline: Instant) -> anyhow::Result<Ledger> {
        Ledger::of(&self.next_table(deadline)?)
    }

    /// The next table.
    pub fn next_table(&mut self, deadline: Instant) -> anyhow::Result<Table> {
        self.next(deadline, |body| match body {
            Body::Table(table) => Some(table),
            _ => None,
        })
    }

    /// Waits for the next alert.
    pub fn next_alert(&mut self) -> anyhow::Result<Alert> {
        let alert = |body| match body {
            Body::Alert(alert) => Some(alert),
            _ => None,
        };
        self.next(Instant::now() + PATIENCE, alert).context("no alert")
    }

    /// Waits for the next word on a stalled server.
    pub fn next_stall(&mut self) -> anyhow::Result<Stall> {
        let stall = |body| match body {
            Body::Stall(stall) => Some(stall),
            _ => None,
        };
        self.next(Instant::now() + PATIENCE, stall).context("no stall")
    }

    fn next<T>(&mut self, deadline: Instant, wanted: impl Fn(Body) -> Option<T>) -> anyhow::Result<T> {
        loop {
            ensure!(Instant::now() < deadline, "nothing of the kind in time");
            // Whatever the time, what comes next.
            let record = self.record(deadline + PATIENCE)?;
            let record = record.context("the tracer has ended")?;
            if let Some(found) = wanted(record.body) {
                return Ok(found);
            }
        }
    }

    /// Ends the tracer with SIGTERM, and takes its last words.
    pub fn stop(self) -> anyhow::Result<Last> {
        self.signal(Signal::TERM)?;
        let last = self.last()?;
        ensure!(
            last.summary.reason == "terminated",
            "why it ended: {:?}",
            last.summary
        );
        Ok(last)
    }

    /// Waits for the end of the tracer, which must be a good one, and takes its last words: a table and a summary.
    pub fn last(mut self) -> anyhow::Result<Last> {
        let deadline = Instant::now() + PATIENCE;
        let mut table: Option<Table> = None;
        let summary = loop {
            match self.record(deadline)?.map(|record| record.body) {
                Some(Body::Summary(summary)) => break summary,
                Some(Body::Table(last)) => table = Some(last),
                Some(Body::Alert(_) | Body::Stall(_) | Body::Limit(_) | Body::Loss(_)) => {}
                other => bail!("no summary but {other:?}"),
            }
        };
        let after = self.record(deadline)?;
        ensure!(after.is_none(), "a line after the summary: {after:?}");
        let ended = self.ended()?;
        let stderr = text(self.stderr.rest(deadline));
        ensure!(ended.success(), "it ended with {ended}: {}", stderr.join("; "));
        let table = table.context("no table before the summary")?;
        ensure!(table.total == summary.total, "{table:?} is not {summary:?}");
        Ok(Last {
            ledger: Ledger::of(&table)?,
            summary,
            heard: std::mem::take(&mut self.heard),
            stderr,
        })
    }

    /// Waits for the end of the process.
    pub fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        poll("the end of the tracer", || Ok(self.child.try_wait()?))
    }

    /// Waits for a line on stderr that contains `text`.
    pub fn wait_for_line(&self, text: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.stderr.next(deadline) {
                Next::Line(line) if String::from_utf8_lossy(&line).contains(text) => return Ok(()),
                Next::Line(_) => {}
                Next::End | Next::Nothing => bail!("stderr does not say \"{text}\""),
            }
        }
    }

    /// What is left of stdout and stderr, once the process has ended.
    pub fn output(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let deadline = Instant::now() + PATIENCE;
        (self.stdout.rest(deadline), self.stderr.rest(deadline))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Both fail harmlessly for a child that has been waited for.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<_> = self.child.wait();
    }
}

/// A line of the stream.
pub fn parse(line: &[u8]) -> anyhow::Result<Record> {
    let record: Record = serde_json::from_slice(line)
        .with_context(|| format!("not a line of the stream: {}", line.escape_ascii()))?;
    ensure!(record.v == 1, "unknown version: {record:?}");
    Ok(record)
}

fn text(lines: Vec<Vec<u8>>) -> Vec<String> {
    lines
        .into_iter()
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}
