//! A program that takes part: started, looked after, and ended whatever happens.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::stop::Stop;
use super::{TICK, log_of};
use crate::process;

/// The user and group that servers run as: nobody's. `PostgreSQL` refuses to run as root.
pub(super) const NOBODY: u32 = 65_534;

/// Open files that each may have: what a service gets that asks for nothing, whatever this machine allows. The tracer
/// weighs what grows against it.
const OPEN_FILES: u32 = 1024;

/// How long a program may take to end before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Lines of a log that tell why its program has ended.
const LAST_WORDS: usize = 10;

/// A program with our own rights. It is told to end if we die without a word.
pub(super) fn program(path: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(path);
    process::forget_cargo(&mut command);
    command
}

/// The same with the limits of a service.
pub(super) fn client(path: &Path) -> Command {
    limited(program(Path::new("prlimit")), path)
}

/// The same without any rights either, for what must not or need not run as root.
pub(super) fn server(path: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={NOBODY}"))
        .arg(format!("--regid={NOBODY}"))
        .args(["--clear-groups", "--pdeathsig", "TERM", "--", "prlimit"])
        .current_dir("/");
    process::forget_cargo(&mut command);
    limited(command, path)
}

/// What prlimit is to run, and how.
fn limited(mut prlimit: Command, path: &Path) -> Command {
    prlimit.arg(format!("--nofile={OPEN_FILES}")).arg("--").arg(path);
    prlimit
}

/// A running program. Dropped, it is ended.
pub(super) struct Child {
    name: &'static str,
    process: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts a program; what it says goes into its log.
    pub(super) fn start(name: &'static str, command: &mut Command, logs: &Path) -> Result<Self> {
        let log = log_of(logs, name);
        create(&log)?;
        let out = append(&log)?;
        Self::spawn(name, command, out, log)
    }

    /// Starts a program whose standard output is data.
    pub(super) fn start_into(
        name: &'static str,
        command: &mut Command,
        data: &Path,
        logs: &Path,
    ) -> Result<Self> {
        let log = log_of(logs, name);
        create(&log)?;
        Self::spawn(name, command, create(data)?, log)
    }

    fn spawn(name: &'static str, command: &mut Command, out: File, log: PathBuf) -> Result<Self> {
        let errors = append(&log)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            // Ctrl-C is ours to act upon; and a group can be killed as a whole.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}: `{}`", process::line(command)))?;
        Ok(Self { name, process, log })
    }

    /// Its process id: setpriv and prlimit become the program.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Fails if it has ended, with its last words.
    pub(super) fn look_after(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended too early ({status}):\n{}", self.name, self.last_words()),
        }
    }

    /// Whether it has done its work and ended well.
    pub(super) fn is_done(&mut self) -> Result<bool> {
        match self.process.try_wait()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!("{} failed ({status}):\n{}", self.name, self.last_words()),
        }
    }

    /// Waits until something is so; fails if it takes too long, or the program ends before.
    pub(super) fn wait_until(
        &mut self,
        what: &str,
        patience: Duration,
        stop: &Stop,
        mut is_so: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !is_so()? {
            stop.check()?;
            self.look_after()?;
            if Instant::now() > deadline {
                bail!(
                    "{} {what} not within {} s:\n{}",
                    self.name,
                    patience.as_secs(),
                    self.last_words()
                );
            }
            thread::sleep(TICK);
        }
        Ok(())
    }

    /// Asks it to end, and kills it and its group if it does not.
    pub(super) fn end(&mut self) -> Result<Option<ExitStatus>> {
        // While it is not waited for, nobody else can have its id.
        let status = self.process.try_wait()?;
        let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) else {
            return Ok(status);
        };
        if status.is_some() {
            return Ok(status);
        }
        kill_process(pid, Signal::TERM)?;
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(20));
        }
        process::say(format_args!("{} does not end: killed", self.name));
        kill_process_group(pid, Signal::KILL)?;
        Ok(Some(self.process.wait()?))
    }

    fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let first = lines.len().saturating_sub(LAST_WORDS);
        lines.get(first..).unwrap_or_default().join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            process::say(format_args!("cannot end {}: {error:#}", self.name));
        }
    }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Output and errors go to one file, behind each other.
fn append(path: &Path) -> Result<File> {
    let file = File::options().append(true).open(path);
    file.with_context(|| format!("cannot open {}", path.display()))
}
