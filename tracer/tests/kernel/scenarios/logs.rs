//! Diagnostics of the kernel programs.

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    puppet::{Puppet, loopback},
    said::Last,
    stream::Direction::{Inbound, Outbound},
    tracer_process::{Tracer, command},
};

/// They arrive on stderr when asked for, stdout stays data, and nobody hears of them otherwise.
pub fn kernel_log(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let port = listener.port().to_string();
    let arguments = ["--output", "json", "--interval", "100ms", "--port", &port];
    let mut asked = Tracer::run(command(context).args(arguments).env("RUST_LOG", "debug"))?;
    let mut silent = Tracer::run(command(context).args(arguments))?;
    asked.attached(context)?;
    silent.attached(context)?;
    let ends = client.connect(listener.address, 3)?;
    server.accept(listener, 3)?;
    client.close(&ends)?;
    let truth = Ledger::default()
        .both(&client, Outbound, loopback(1), listener.port(), counts(3, 3))
        .both(&server, Inbound, loopback(1), listener.port(), counts(3, 0));
    silent.stop()?.expect("silent", &truth)?;

    asked.expect("logging", &truth)?;
    let last = asked.stop()?;
    ensure!(last.ledger == truth, "{}", last.ledger);
    for pid in [client.pid(), server.pid()] {
        let told = lines_of(&last, pid);
        ensure!(
            told == 3,
            "{told} lines tell of process {pid}: {:#?}",
            last.stderr
        );
    }
    Ok(())
}

/// Lines that tell of an opening by this process.
fn lines_of(last: &Last, pid: u32) -> usize {
    let end = format!("opened by process {pid}");
    last.stderr.iter().filter(|line| line.ends_with(&end)).count()
}
