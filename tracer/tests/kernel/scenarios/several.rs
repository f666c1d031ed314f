//! More than one tracer, and one that is killed.

use std::time::Instant;

use anyhow::ensure;
use rustix::process::Signal;

use crate::{
    context::Context,
    ledger::{Ledger, counts, older},
    lines::{PATIENCE, poll},
    puppet::{Puppet, loopback},
    scene::Scene,
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
    witness::BpfObjects,
};

pub fn two_tracers(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let mut first = Tracer::launch(context, &[listener.port()], [""; 0])?;
    let mut second = Tracer::launch(context, &[listener.port()], [""; 0])?;
    first.attached(context)?;
    second.attached(context)?;

    let connected = client.connect(listener.address, 5)?;
    let accepted = server.accept(listener, 5)?;
    client.close(&connected[0..2])?;
    let truth = |opened, of_client, of_server| {
        Ledger::default()
            .both(
                &client,
                Outbound,
                loopback(1),
                listener.port(),
                counts(opened, of_client),
            )
            .both(
                &server,
                Inbound,
                loopback(1),
                listener.port(),
                counts(opened, of_server),
            )
    };
    let (before, after) = (truth(5, 2, 0), truth(8, 5, 5));
    first.expect("the first tracer", &before)?;
    second.expect("the second tracer", &before)?;
    first.stop()?.expect("the first tracer at its end", &before)?;

    client.connect(listener.address, 3)?;
    server.accept(listener, 3)?;
    client.close(&connected[2..5])?;
    server.close(&accepted)?;
    second.expect("the second tracer alone", &after)?;
    second.stop()?.expect("the second tracer at its end", &after)
}

/// Nothing is pinned, so nothing stays.
pub fn killed(context: &Context) -> anyhow::Result<()> {
    let mut tracer = Tracer::start(context, &[1])?;
    let objects = BpfObjects::of_process(tracer.pid())?;
    ensure!(
        objects.programs.len() >= 4 && objects.links.len() >= 4 && objects.maps.len() >= 4,
        "a tracer at work holds more than {objects:?}"
    );
    ensure!(
        objects.that_exist()? == objects,
        "the kernel has {:?} of {objects:?}",
        objects.that_exist()?
    );
    tracer.signal(Signal::KILL)?;
    let ended = tracer.ended()?;
    ensure!(!ended.success(), "it ended with {ended}");
    poll("nothing of a killed tracer is left", || {
        Ok(objects.that_exist()?.is_empty().then_some(()))
    })
}

/// Killed in the middle and started again: the first table is complete.
pub fn restarted(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set(context)?;
    let (connected, accepted) = scene.connect(20)?;
    scene.client.close(&connected[..5])?;
    let before = scene.truth((20, 5), (20, 0));
    scene.tracer.expect("the first tracer", &before)?;
    scene.tracer.signal(Signal::KILL)?;
    scene.tracer.ended()?;
    // Nobody sees these.
    scene.server.close(&accepted[..8])?;
    let (more, of_server) = scene.connect(3)?;

    scene.tracer = Tracer::start(context, &[scene.listener.port()])?;
    let found = scene.of_counts(older(18, 0), older(15, 0));
    let first = scene.tracer.next_ledger(Instant::now() + PATIENCE)?;
    ensure!(first == found, "the first table:\n{first}instead of\n{found}");
    scene.client.close(&more)?;
    scene.server.close(&of_server)?;
    let closed = scene.of_counts(older(18, 3), older(15, 3));
    scene.tracer.stop()?.expect("the second tracer", &closed)
}
