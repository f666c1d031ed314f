//! Names of processes.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::process::Signal;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    lines::{PATIENCE, poll},
    puppet::{Puppet, loopback},
    stream::{
        Body,
        Direction::{Inbound, Outbound},
    },
    tracer_process::{Tracer, command, parse},
};

/// A connection belongs to the process, whatever the thread is called.
pub fn thread_name(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-process")?;
    let listener = server.listen(loopback(1))?;
    let tracer = Tracer::start(context, &[listener.port()])?;
    let ends = client.connect_in_thread("tt-thread", listener.address, 3)?;
    server.accept(listener, 3)?;
    client.close(&ends)?;
    let truth = Ledger::default()
        .both(&client, Outbound, loopback(1), listener.port(), counts(3, 3))
        .both(&server, Inbound, loopback(1), listener.port(), counts(3, 0));
    tracer.stop()?.expect("at the end", &truth)
}

/// A program that replaces another keeps its process id, not its name.
pub fn exec(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-before")?;
    let listener = server.listen(loopback(1))?;
    let mut tracer = Tracer::start(context, &[listener.port()])?;
    client.connect(listener.address, 3)?;
    server.accept(listener, 3)?;
    let before = Ledger::default()
        .both(&client, Outbound, loopback(1), listener.port(), counts(3, 0))
        .both(&server, Inbound, loopback(1), listener.port(), counts(3, 0));
    tracer.expect("before the exec", &before)?;

    // Its sockets do not survive it.
    client.exec()?;
    ensure!(client.comm() != "tt-before", "the name did not change");
    client.connect(listener.address, 2)?;
    server.accept(listener, 2)?;
    let after = Ledger::default()
        .both(&client, Outbound, loopback(1), listener.port(), counts(5, 3))
        .both(&server, Inbound, loopback(1), listener.port(), counts(5, 0));
    tracer.stop()?.expect("after the exec", &after)
}

/// A name made to break terminals, line-based readers and JSON.
pub fn hostile_comm(context: &Context) -> anyhow::Result<()> {
    const NAME: &[u8] = b"\x1b[2J\n\"\\\xff\xe2\x80\xae%s";
    const SHOWN: &str = r#"\x1b[2J\x0a"\\\xff\u{202e}%s"#;
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start(NAME)?;
    let listener = server.listen(loopback(1))?;
    let port = listener.port().to_string();
    // An alert names it too.
    let rule = ["--min-opened", "4", "--min-span", "100ms"];
    let mut json = Tracer::launch(context, &[listener.port()], rule)?;
    let mut text = Tracer::run(
        command(context)
            .args(["--port", &port, "--interval", "100ms"])
            .args(rule),
    )?;
    json.attached(context)?;
    let mut alerted = false;
    // The other tracer says on stderr, and only once, that it is attached: so go on until it has seen it.
    let deadline = Instant::now() + PATIENCE;
    while !alerted && Instant::now() < deadline {
        client.connect(listener.address, 1)?;
        server.accept(listener, 1)?;
        std::thread::sleep(Duration::from_millis(60));
        while let Ok(Some(record)) = json.record(Instant::now() + Duration::from_millis(1)) {
            alerted |= matches!(&record.body, Body::Alert(alert) if alert.process.comm == client.comm());
        }
    }
    ensure!(alerted, "no alert names it");
    let told = json.stop()?;
    ensure!(told.ledger.of_process(&client).opened > 3, "{}", told.ledger);

    // Both have ticked by now: the alert in text is out, or comes with the end.
    text.signal(Signal::TERM)?;
    ensure!(text.ended()?.success(), "the text tracer failed");
    let (stdout, stderr) = text.output();
    let mut shown = 0;
    for line in stdout.iter().chain(
        stderr
            .iter()
            .map(|line| line.as_bytes().to_vec())
            .collect::<Vec<_>>()
            .iter(),
    ) {
        let line = std::str::from_utf8(line)?;
        ensure!(
            !line.chars().any(|c| c.is_control() || c == '\u{202e}'),
            "raw: {line:?}"
        );
        ensure!(parse(line.as_bytes()).is_err(), "JSON among text: {line}");
        shown += usize::from(line.contains(SHOWN));
    }
    ensure!(shown > 0, "nowhere shown: {stdout:?}");
    poll("never", || Ok(Some(())))
}
