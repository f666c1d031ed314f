//! `tracer list --by stack`.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    context::Context,
    harness::Skipped,
    lines::{Lines, Next, PATIENCE},
    programs::{Recipe, Running},
    puppet::{Puppet, loopback},
    scratch::Scratch,
};

/// `tracer list --by stack` watches, and lists what opened then and stays open; an interrupt ends it early.
pub fn listing_stacks(context: &Context) -> anyhow::Result<()> {
    let scratch = Scratch::new(context, "listed")?;
    let Some(program) = Recipe::of("leak-c")?.program(&scratch.path(""))? else {
        return Err(Skipped("leak-c cannot be compiled here".to_owned()).into());
    };
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    client.connect(listener.address, 3)?;
    let port = listener.port().to_string();
    let mut list = Command::new(&context.program)
        .args(["list", "--by", "stack", "--for", "5m", "--output", "folded"])
        .args(["--direction", "outbound", "--port", &port])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let said = Lines::of(list.stderr.take().context("no stderr")?);
    loop {
        match said.next(Instant::now() + PATIENCE) {
            Next::Line(line) if line.starts_with(b"watching ") => break,
            Next::Line(_) => {}
            Next::End | Next::Nothing => bail!("it does not begin to watch"),
        }
    }
    let running = Running::start(Command::new(program).args([&port, "20", "15", "20", "mixed"]))?;
    running.wait()?;
    // Two looks at the ring, and what follows from them.
    thread::sleep(Duration::from_secs(1));
    kill_process(Pid::from_child(&list), Signal::INT)?;
    let output = list.wait_with_output()?;
    ensure!(output.status.success(), "{output:?}");
    let last_words = said.rest(Instant::now() + PATIENCE);
    let is_whole = last_words.iter().any(|line| line == b"nothing was lost");
    let folded = String::from_utf8(output.stdout)?;
    let count = |part: &str| -> u32 {
        let lines = folded.lines().filter(|line| line.contains(part));
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u32>().ok())
            .sum()
    };
    ensure!(count("[opened before]") == 3, "{folded}");
    // The kernel may skip runs of a program on its own account.
    let leaked = count("open_and_leak (leak.c:");
    ensure!(leaked == 15 || (leaked < 15 && !is_whole), "{folded}");
    ensure!(count("open_and_close") == 0, "{folded}");
    ensure!(count("") == 18 || !is_whole, "{folded}");
    Ok(())
}
