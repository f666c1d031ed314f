//! Connections that the kernel completed and no process has accepted.

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts, older},
    puppet::{Listener, Puppet, loopback},
    scene::{OFTEN, SEVERAL_TIMES, Scene},
    stream::{
        Direction::{Inbound, Outbound},
        Table,
    },
    tracer_process::Tracer,
};

const WAITING: usize = 12;

/// Whether so many wait for the server, told of it and of its only peer, and nothing is told of the client.
fn wait(table: &Table, server: &Puppet, listener: Listener, count: usize) -> anyhow::Result<()> {
    let of_server = table.process(server).map_or(0, |row| row.phases.unaccepted);
    let of_peer = table
        .peer(Inbound, loopback(1), listener.port())
        .map_or(0, |row| row.phases.unaccepted);
    let of_client = table
        .peer(Outbound, loopback(1), listener.port())
        .map_or(0, |row| row.phases.unaccepted);
    let found = [of_server, of_peer, of_client];
    ensure!(found == [count as u64, count as u64, 0], "waiting are {found:?}");
    Ok(())
}

/// They wait, are accepted, and are over when they close, or when the listener does.
pub fn unaccepted(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set_with(context, OFTEN)?;
    let listener = scene.listener;
    let connected = scene.client.connect(listener.address, WAITING)?;
    scene.expect_waiting("all wait", WAITING)?;
    // None of them is the server's yet.
    let port = listener.port();
    let truth = Ledger::default().both(&scene.client, Outbound, loopback(1), port, counts(WAITING, 0));
    scene.tracer.expect("all wait", &truth)?;

    let accepted = scene.server.accept(listener, 4)?;
    scene.expect_waiting("some are accepted", WAITING - 4)?;
    let truth = scene.truth((WAITING, 0), (4, 0));
    scene.tracer.expect("the accepted ones are open", &truth)?;

    // The kernel keeps for the server what a client has given up.
    scene.client.close(&connected[WAITING - 3..])?;
    scene.tracer.wait(SEVERAL_TIMES)?;
    scene.expect_waiting("three were given up", WAITING - 4)?;
    let truth = scene.truth((WAITING, 3), (4, 0));
    scene.tracer.expect("three were given up", &truth)?;

    // They end with the listener, without a close of their own; their clients are reset.
    scene.server.close_listener(listener)?;
    scene.expect_waiting("nobody listens", 0)?;
    let truth = scene.truth((WAITING, 3), (4, 0));
    scene.tracer.expect("nobody listens", &truth)?;
    scene.server.close(&accepted)?;
    scene.client.close(&connected[..WAITING - 3])?;
    let truth = scene.truth((WAITING, WAITING), (4, 4));
    scene.tracer.stop()?.expect("at the end", &truth)
}

impl Scene {
    fn expect_waiting(&mut self, what: &str, count: usize) -> anyhow::Result<()> {
        let (server, listener) = (&self.server, self.listener);
        self.tracer
            .expect_table(what, |table| wait(table, server, listener, count))
    }
}

/// They waited before the tracer came, and are accepted before its eyes: opened, not found.
pub fn unaccepted_before(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let connected = client.connect(listener.address, WAITING)?;
    let mut tracer = Tracer::start_with(context, &[listener.port()], OFTEN)?;
    tracer.expect_table("all wait", |table| wait(table, &server, listener, WAITING))?;
    let accepted = server.accept(listener, WAITING)?;
    tracer.expect_table("none waits", |table| wait(table, &server, listener, 0))?;
    let truth = |closed| {
        let (found, seen) = (older(WAITING, closed), counts(WAITING, closed));
        Ledger::default()
            .both(&client, Outbound, loopback(1), listener.port(), found)
            .both(&server, Inbound, loopback(1), listener.port(), seen)
    };
    let (open, closed) = (truth(0), truth(WAITING));
    tracer.expect("all are open", &open)?;
    client.close(&connected)?;
    server.close(&accepted)?;
    tracer.stop()?.expect("at the end", &closed)
}
