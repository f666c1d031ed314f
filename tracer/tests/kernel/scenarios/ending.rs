//! How the tracer ends.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;

use crate::{
    context::Context,
    lines::poll,
    tracer_process::{Tracer, command, parse},
};

/// A person who presses Ctrl-C waits no longer.
const PROMPT: Duration = Duration::from_secs(5);

pub fn signals(context: &Context) -> anyhow::Result<()> {
    for (signal, reason) in [(Signal::INT, "interrupted"), (Signal::TERM, "terminated")] {
        let tracer = Tracer::start(context, &[1])?;
        tracer.signal(signal)?;
        let signalled = Instant::now();
        let last = tracer.last()?;
        let took = signalled.elapsed();
        ensure!(took < PROMPT, "it took {took:?} to end");
        ensure!(last.summary.reason == reason, "{:?}", last.summary);
        ensure!(last.summary.seconds < 60.0, "{:?}", last.summary);
    }
    Ok(())
}

pub fn duration(context: &Context) -> anyhow::Result<()> {
    let tracer = Tracer::start_with(context, &[1], ["--duration", "1s"])?;
    let started = Instant::now();
    let last = tracer.last()?;
    let took = started.elapsed();
    ensure!(took < Duration::from_secs(1) + PROMPT, "it took {took:?} to end");
    ensure!(last.summary.reason == "finished", "{:?}", last.summary);
    ensure!(last.summary.seconds >= 1.0, "{:?}", last.summary);
    Ok(())
}

/// As with `| head -1`.
pub fn stdout_closed(context: &Context) -> anyhow::Result<()> {
    let mut command = command(context);
    command.args(["--port", "1", "--output", "json", "--interval", "100ms"]);
    command.stderr(Stdio::piped());
    let mut child = Killed(command.spawn()?);
    let stdout = child.0.stdout.take().context("no stdout")?;
    let mut first = Vec::new();
    BufReader::new(stdout).read_until(b'\n', &mut first)?;
    parse(&first)?;
    let status = poll("the end of the tracer", || Ok(child.0.try_wait()?))?;
    ensure!(status.success(), "it ended with {status}");
    let stderr = std::io::read_to_string(child.0.stderr.take().context("no stderr")?)?;
    ensure!(stderr.is_empty(), "not quiet: {stderr}");
    Ok(())
}

/// A child that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail harmlessly for a child that has been waited for.
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<_> = self.0.wait();
    }
}
