//! What was recorded is replayed: the same findings, byte for byte, for anybody who may read the file.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    context::Context,
    lines::poll,
    puppet::{Puppet, loopback},
    scratch::Scratch,
    tracer_process::{Tracer, command},
};

/// Nobody, in particular nobody with privileges.
const NOBODY: u32 = 65534;
/// When ten connections opened are a leak, and what is stalled.
const RULES: [&str; 8] = [
    "--min-opened",
    "10",
    "--min-span",
    "2s",
    "--stall-waiting",
    "3",
    "--stall-wait",
    "3s",
];

/// A leak, and a server that does not accept.
pub fn recorded(context: &Context) -> anyhow::Result<()> {
    let scratch = Scratch::new(context, "recorded")?;
    let (path, live) = (scratch.path("rec"), scratch.path("live"));
    let mut server = Puppet::start("tt-server")?;
    let mut leaker = Puppet::start("tt-leaker")?;
    let listener = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let older = leaker.connect(listener.at(loopback(1)), 2)?;
    server.accept(listener, 2)?;

    // Its stdout is a file, as its user would have it.
    let mut child = command(context)
        .args(["--output", "json", "--reconcile", "2s"])
        .args(RULES)
        .args(["--port", &listener.port().to_string(), "--record"])
        .arg(&path)
        .stdout(fs::File::create(&live)?)
        .stderr(Stdio::null())
        .spawn()?;
    contains(&live, "\"type\":\"started\"")?;

    let to = listener.at(loopback(1));
    let mut leaked = Vec::new();
    for _ in 0..12 {
        leaked.extend(leaker.connect(to, 1)?);
        server.accept(listener, 1)?;
        // The pace of the leak, not a wait for anything.
        sleep(Duration::from_millis(300));
    }
    leaker.connect_from(crate::puppet::at(2, 0), to, 5)?;
    contains(&live, "\"type\":\"alert\"")?;
    contains(&live, "\"type\":\"stall\"")?;
    leaker.close(&older)?;
    server.accept(listener, 5)?;
    leaker.kill()?;
    contains(&live, "\"resolution\":\"accepting_again\"")?;
    contains(&live, "\"resolution\":\"process_exited\"")?;
    kill_process(Pid::from_child(&child), Signal::TERM)?;
    ensure!(child.wait()?.success(), "it ended badly");

    let mode = fs::metadata(&path)?.permissions().mode() & 0o7777;
    ensure!(mode == 0o600, "mode {mode:o}");
    let before = findings(&fs::read(&live)?);
    let after = findings(&replay(context, &scratch, &path)?);
    ensure!(before.len() >= 4, "{before:#?}");
    for (before, after) in before.iter().zip(&after) {
        ensure!(before == after, "live\n{before}\nreplayed\n{after}");
    }
    ensure!(
        before.len() == after.len(),
        "live {before:#?}\nreplayed {after:#?}"
    );
    Ok(())
}

/// Whatever ends the tracer leaves a recording behind that ends with a whole line, at most a second or two before.
pub fn recorded_until_killed(context: &Context) -> anyhow::Result<()> {
    let scratch = Scratch::new(context, "killed")?;
    let path = scratch.path("rec");
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let more = ["--record".as_ref(), path.as_os_str()];
    let mut tracer = Tracer::start_with(context, &[listener.port()], more)?;
    client.connect(listener.address, 3)?;
    server.accept(listener, 3)?;
    let opened =
        || -> anyhow::Result<usize> { Ok(fs::read_to_string(&path)?.matches("\"kind\":\"opened\"").count()) };
    // A tick every second, and a write with it.
    poll("what opened is recorded", || Ok((opened()? == 6).then_some(())))?;
    tracer.signal(Signal::KILL)?;
    ensure!(!tracer.ended()?.success(), "it was killed");

    let stdout = replay(context, &scratch, &path)?;
    let summary = String::from_utf8_lossy(&stdout);
    ensure!(summary.contains("\"open\":6"), "{summary}");

    // The next tracer leaves it alone.
    let mut again = Tracer::start_with(context, &[listener.port()], more)?;
    ensure!(
        fs::read(scratch.path("rec.1"))?.ends_with(b"\n"),
        "it was put aside"
    );
    again.signal(Signal::TERM)?;
    ensure!(again.ended()?.success(), "it ended badly");
    Ok(())
}

/// Waits until a file has this in it.
fn contains(path: &Path, text: &str) -> anyhow::Result<()> {
    poll(text, || {
        Ok(fs::read_to_string(path)?.contains(text).then_some(()))
    })
}

/// What a replay by nobody in particular says.
fn replay(context: &Context, scratch: &Scratch, path: &Path) -> anyhow::Result<Vec<u8>> {
    // The file is its owner's: somebody must have given it away.
    let copy = scratch.path("copy");
    fs::copy(path, &copy)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o644))?;
    let program = scratch.path("tracer");
    if !program.exists() {
        fs::copy(&context.program, &program)?;
    }
    let output = Command::new(&program)
        .arg("replay")
        .arg(&copy)
        .args(["--output", "json"])
        .args(RULES)
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .context("no replay")?;
    ensure!(
        output.status.success(),
        "the replay ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

/// The lines that tell findings.
fn findings(stdout: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(stdout)
        .lines()
        .filter(|line| {
            ["alert", "stall", "limit", "loss"]
                .iter()
                .any(|kind| line.contains(&format!("\"type\":\"{kind}\"")))
        })
        .map(str::to_owned)
        .collect()
}
