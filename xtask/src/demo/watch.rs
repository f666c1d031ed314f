//! The tracer that the demo itself reads.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A tracer that speaks JSON, and the findings it has told.
pub(crate) struct Watch {
    child: Child,
    lines: Receiver<String>,
    alerts: Vec<Value>,
    stalls: Vec<Value>,
    summary: Option<Value>,
    skipped_told: u64,
}

/// What the books call lost, but for what the kernel skipped.
const LOST: [&str; 6] = [
    "ring_full",
    "map_full",
    "unreadable",
    "probe_misses",
    "rejected",
    "untracked",
];
/// Program runs that the kernel skipped.
const SKIPPED: &str = "program_misses";

impl Watch {
    /// Starts it and waits until it is attached.
    pub(crate) fn start(tracer: &Path, port: &str) -> Result<Self> {
        let mut command = Command::new(tracer);
        crate::process::forget_cargo(&mut command);
        let mut child = command
            .args(["--port", port, "--output", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the tracer")?;
        let stdout = child.stdout.take().context("the tracer has no stdout")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut watch = Self {
            child,
            lines,
            alerts: Vec::new(),
            stalls: Vec::new(),
            summary: None,
            skipped_told: 0,
        };
        let first = watch
            .lines
            .recv_timeout(Duration::from_secs(10))
            .context("the tracer says nothing")?;
        let first: Value = serde_json::from_str(&first).context("the tracer's first line is no JSON")?;
        ensure!(first["type"] == "started", "the tracer did not start: {first}");
        watch.alerts.clear();
        Ok(watch)
    }

    /// Listens for a while.
    pub(crate) fn listen(&mut self, span: Duration) -> Result<()> {
        let deadline = Instant::now() + span;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.take(&line)?,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) if self.summary.is_some() => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => bail!("the tracer ended too early"),
            }
        }
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let record: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        match record["type"].as_str() {
            Some("alert") => self.alerts.push(record),
            Some("stall") => self.stalls.push(record),
            Some("loss") if record["cause"] == SKIPPED => {
                self.skipped_told += record["count"].as_u64().unwrap_or(0);
            }
            Some("summary") => self.summary = Some(record),
            _ => {}
        }
        Ok(())
    }

    /// Alerts that opened.
    pub(crate) fn opened(&self) -> usize {
        self.with_status("opened").count()
    }

    /// Whether every alert is resolved.
    pub(crate) fn all_resolved(&self) -> bool {
        let ids = |status| -> BTreeSet<String> {
            self.with_status(status)
                .map(|alert| alert["id"].to_string())
                .collect()
        };
        ids("opened") == ids("resolved")
    }

    /// Whether an alert names this process as the holder of the other ends.
    pub(crate) fn names_other_end(&self, comm: &str, pid: u32) -> bool {
        self.with_status("opened").any(|alert| {
            let other = &alert["other_ends"][0]["process"];
            other["comm"] == comm && other["pid"] == pid
        })
    }

    /// Whether all who were ever accused have one of these names.
    pub(crate) fn accuses_only(&self, comms: &[&str]) -> bool {
        self.with_status("opened")
            .all(|alert| comms.iter().any(|comm| alert["process"]["comm"] == *comm))
    }

    /// Whether this process was ever accused.
    pub(crate) fn accuses(&self, pid: u32) -> bool {
        self.with_status("opened")
            .any(|alert| alert["process"]["pid"] == pid)
    }

    /// Whether an alert opened that names exactly this.
    pub(crate) fn has_opened(&self, direction: &str, comm: &str, pid: u32, peer: &str) -> bool {
        self.with_status("opened").any(|alert| {
            alert["direction"] == direction
                && alert["process"]["comm"] == comm
                && alert["process"]["pid"] == pid
                && alert["peer"] == peer
        })
    }

    /// The finding that names this process as a server that does not accept.
    pub(crate) fn stall_of(&self, pid: u32) -> Option<&Value> {
        let opened = |stall: &&Value| stall["status"] == "opened" && stall["process"]["pid"] == pid;
        self.stalls.iter().find(opened)
    }

    /// Whether every server accepts again.
    pub(crate) fn all_accept(&self) -> bool {
        let count = |status: &str| {
            self.stalls
                .iter()
                .filter(|stall| stall["status"] == status)
                .count()
        };
        count("opened") == count("resolved")
    }

    fn with_status(&self, status: &'static str) -> impl Iterator<Item = &Value> {
        self.alerts.iter().filter(move |alert| alert["status"] == status)
    }

    /// Ends the tracer; gives its last account.
    pub(crate) fn finish(mut self) -> Result<Account> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::INT).context("cannot end the tracer")?;
        }
        self.listen(Duration::from_secs(10))?;
        let summary = self.summary.as_ref().context("the tracer gave no summary")?;
        let count = |value: &Value, what: &str| {
            value
                .as_u64()
                .with_context(|| format!("the summary lacks {what}"))
        };
        let mut lost = 0;
        for cause in LOST {
            lost += count(&summary["books"][cause], cause)?;
        }
        Ok(Account {
            lost,
            skipped: count(&summary["books"][SKIPPED], SKIPPED)?,
            skipped_told: self.skipped_told,
            open: count(&summary["total"]["open"], "total.open")?,
        })
    }
}

/// What the tracer's books say at the end.
pub(crate) struct Account {
    /// Events that were lost.
    pub(crate) lost: u64,
    /// Program runs that the kernel skipped, whatever socket they concerned: an interrupt on top of the same program,
    /// which no tracer can keep from happening.
    pub(crate) skipped: u64,
    /// How many of them `loss` records told.
    pub(crate) skipped_told: u64,
    /// Connections that it believes to be open.
    pub(crate) open: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already; there is nobody left to tell.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.child.wait();
    }
}
