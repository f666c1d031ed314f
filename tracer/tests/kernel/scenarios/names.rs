//! Names of processes.

use std::{thread::sleep, time::Duration};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;

use crate::{
    context::Context,
    ledger::{Ledger, counts, older},
    puppet::{Puppet, loopback},
    stream::Direction::{Inbound, Outbound},
    tracer_process::{Tracer, command},
    witness,
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

/// A process in a PID namespace of its own goes by the id that the host knows.
pub fn pid_namespace(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let ends = client.connect(listener.address, 3)?;
    server.accept(listener, 3)?;
    client.isolate_children()?;
    let contained = client.bequeath(&ends)?;
    let pid = contained.pid.context("no pid")?;
    let inside = witness::namespaced_pid(pid)?;
    ensure!(inside == 1, "process {pid} is {inside} in its namespace");
    let mut tracer = Tracer::start(context, &[listener.port()])?;
    let truth = |closed| {
        Ledger::default()
            .both(
                contained.clone(),
                Outbound,
                loopback(1),
                listener.port(),
                older(3, closed),
            )
            .both(&server, Inbound, loopback(1), listener.port(), older(3, 0))
    };
    let (held, closed) = (truth(0), truth(3));
    tracer.expect("held", &held)?;
    client.bury()?;
    tracer.stop()?.expect("at the end", &closed)
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
    let arguments = ["--port", &port, "--interval", "100ms"];
    let mut text = Tracer::run(command(context).args(arguments).args(rule))?;
    json.attached(context)?;
    text.wait_for_line("self-test passed")?;
    for _ in 0..5 {
        client.connect(listener.address, 1)?;
        server.accept(listener, 1)?;
        // The pace of the leak, not a wait for anything.
        sleep(Duration::from_millis(40));
    }
    // Two alerts: of the client, and of the server, whose name is harmless.
    let accused = [json.next_alert()?, json.next_alert()?].map(|alert| alert.process.comm);
    ensure!(accused.contains(&client.comm()), "{accused:?}");
    let truth = Ledger::default()
        .both(&client, Outbound, loopback(1), listener.port(), counts(5, 0))
        .both(&server, Inbound, loopback(1), listener.port(), counts(5, 0));
    json.stop()?.expect("at the end", &truth)?;

    // The end of the tracer is a tick too, if it has not had one yet.
    text.signal(Signal::TERM)?;
    ensure!(text.ended()?.success(), "the tracer failed");
    let (stdout, stderr) = text.output();
    let lines = stdout
        .iter()
        .chain(&stderr)
        .map(|line| Ok(std::str::from_utf8(line)?))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let is_raw = |character: char| character.is_control() || character == '\u{202e}';
    ensure!(!lines.iter().any(|line| line.contains(is_raw)), "raw: {lines:?}");
    let shown = |line: &&&str| line.contains(SHOWN);
    ensure!(
        lines.iter().any(|line| shown(&line) && line.contains("LEAK")),
        "no alert: {lines:#?}"
    );
    let in_table = lines.iter().filter(shown).count() > 1;
    ensure!(in_table, "no table: {lines:#?}");
    Ok(())
}
