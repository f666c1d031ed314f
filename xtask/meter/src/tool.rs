//! A case that runs: a process, and what it writes.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use meter::Case;
use rustix::process::{Pid, Signal, kill_process};

/// How long a case may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(30);

/// The process of a case; nothing, if the case is nothing.
pub(crate) struct Tool {
    name: String,
    running: Option<Running>,
}

struct Running {
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

impl Tool {
    /// Starts it; what it writes goes to files in memory.
    pub(crate) fn start(case: &Case) -> Result<Self> {
        let running = match case.argv.split_first() {
            None => None,
            Some((program, arguments)) => Some(spawn(&case.name, program, arguments)?),
        };
        Ok(Self {
            name: case.name.clone(),
            running,
        })
    }

    /// Nanoseconds of its threads on the processor until now.
    pub(crate) fn work(&self) -> Result<u64> {
        let Some(Running { child, .. }) = &self.running else {
            return Ok(0);
        };
        let threads = format!("/proc/{}/task", child.id());
        let mut total = 0;
        for thread in fs::read_dir(&threads).with_context(|| format!("{} has ended", self.name))? {
            // `sum_exec_runtime`, nanoseconds, comes first (`proc_pid_schedstat`, `fs/proc/base.c`).
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split_whitespace().next().unwrap_or_default();
            total += first.parse::<u64>().context("a schedstat that is none")?;
        }
        Ok(total)
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(Running { child, log, .. }) = &mut self.running else {
            return Ok(());
        };
        if let Some(status) = child.try_wait()? {
            let said = fs::read_to_string(log).unwrap_or_default();
            bail!("{} ended too early ({status}); it said:\n{said}", self.name);
        }
        Ok(())
    }

    /// Ends it as Ctrl-C would; gives the number of lines that it wrote to stdout, and the last.
    pub(crate) fn end(self) -> Result<(u64, String)> {
        let Some(Running { mut child, out, .. }) = self.running else {
            return Ok((0, String::new()));
        };
        kill_process(Pid::from_child(&child), Signal::INT)?;
        let step = Duration::from_millis(100);
        let mut waited = Duration::ZERO;
        while child.try_wait()?.is_none() {
            if waited > PATIENCE {
                child.kill()?;
                child.wait()?;
                bail!("{} did not end in {PATIENCE:?}", self.name);
            }
            sleep(step);
            waited += step;
        }
        let said = fs::read(&out).with_context(|| format!("cannot read {}", out.display()))?;
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().last().unwrap_or_default().to_owned();
        Ok((said.lines().count() as u64, last))
    }
}

fn spawn(name: &str, program: &str, arguments: &[String]) -> Result<Running> {
    let file = |stream: &str| {
        let path = std::env::temp_dir().join(format!("{}.{stream}", name.replace([' ', '/'], "-")));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok::<_, anyhow::Error>((path, file))
    };
    let ((out, stdout), (log, stderr)) = (file("out")?, file("log")?);
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    Ok(Running { child, out, log })
}
