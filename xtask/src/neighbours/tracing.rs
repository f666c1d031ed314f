//! The tracer under test, and what it tells.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::child::{self, Child};
use super::servers::Server;
use super::stop::Stop;
use super::verdict::{Record, Told};

/// How long the tracer may take to attach. Others may be busy on this machine.
const ATTACHES_WITHIN: Duration = Duration::from_secs(30);
/// More rows than there are peers and processes: the closing table must show all.
const ROWS: &str = "10000";

/// A running tracer.
pub(super) struct Tracer {
    child: Child,
    output: BufReader<File>,
    /// What has come of a line that is not written whole yet.
    line: String,
    begun: Instant,
    records: Vec<Record>,
}

impl Tracer {
    /// Starts it on the ports of all servers, and waits until it is attached.
    pub(super) fn start(tracer: &Path, logs: &Path, stop: &Stop) -> Result<Self> {
        let data = logs.join("tracer.jsonl");
        let mut command = child::program(tracer);
        command.args(["--output", "json", "--rows", ROWS]);
        for server in Server::ALL {
            command.args(["--port", &server.port().to_string()]);
        }
        let child = Child::start_into("tracer", &mut command, &data, logs)?;
        let output = File::open(&data).with_context(|| format!("cannot read {}", data.display()))?;
        let mut tracer = Self {
            child,
            output: BufReader::new(output),
            line: String::new(),
            begun: Instant::now(),
            records: Vec::new(),
        };
        tracer.wait_for("started", stop)?;
        tracer.begun = Instant::now();
        Ok(tracer)
    }

    /// Time since it was attached.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Reads what it has told since.
    pub(super) fn read(&mut self) -> Result<()> {
        self.child.look_after()?;
        self.read_lines()
    }

    fn read_lines(&mut self) -> Result<()> {
        while self.output.read_line(&mut self.line)? > 0 {
            if self.line.ends_with('\n') {
                let value: Value =
                    serde_json::from_str(&self.line).with_context(|| format!("not JSON: {}", self.line))?;
                self.records.push(Record {
                    after: self.begun.elapsed(),
                    value,
                });
                self.line.clear();
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, kind: &str, stop: &Stop) -> Result<()> {
        let deadline = Instant::now() + ATTACHES_WITHIN;
        while !self.records.iter().any(|record| record.is(kind)) {
            stop.check()?;
            self.read()?;
            ensure!(
                Instant::now() < deadline,
                "the tracer told no `{kind}` within {} s",
                ATTACHES_WITHIN.as_secs()
            );
            std::thread::sleep(super::TICK);
        }
        Ok(())
    }

    /// Ends it; gives all that it has told.
    pub(super) fn finish(mut self) -> Result<Told> {
        let status = self.child.end()?;
        self.read_lines()?;
        ensure!(
            status.is_none_or(|status| status.success()) && self.line.is_empty(),
            "the tracer ended badly: {status:?}"
        );
        Told::new(self.records)
    }
}
