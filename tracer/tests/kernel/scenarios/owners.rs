//! Connections that change hands.

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    puppet::{Puppet, loopback},
    scene::{OFTEN, SEVERAL_TIMES, Scene},
    stream::{
        Counts,
        Direction::{Inbound, Outbound},
    },
};

/// So many of `opened` given away, all others open.
fn given(opened: usize, given: usize) -> Counts {
    Counts {
        given: given as u64,
        open: (opened - given) as u64,
        ..counts(opened, 0)
    }
}

/// So many taken over, so many of them closed.
fn received(received: usize, closed: usize) -> Counts {
    Counts {
        open: (received - closed) as u64,
        received: received as u64,
        closed: closed as u64,
        ..Counts::default()
    }
}

/// Sent to another program, and the opener exits: they are the other's.
pub fn passed_on(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set_with(context, OFTEN)?;
    let mut heir = Puppet::start("tt-receiver")?;
    heir.open_mailbox()?;
    let (connected, _) = scene.connect(4)?;
    scene.client.send_to(&heir, &connected)?;
    let passed = heir.receive(4)?;
    let port = scene.listener.port();
    scene.client.kill()?;

    let truth = |closed| {
        Ledger::default()
            .process(&scene.client, given(4, 4))
            .process(&heir, received(4, closed))
            .peer(Outbound, loopback(1), port, counts(4, closed))
            .both(&scene.server, Inbound, loopback(1), port, counts(4, 0))
    };
    let (moved, one, all) = (truth(0), truth(1), truth(4));
    scene.tracer.expect("moved to the receiver", &moved)?;
    heir.close(&passed[..1])?;
    scene.tracer.expect("the receiver closed one", &one)?;
    heir.close(&passed[1..])?;
    scene.tracer.stop()?.expect("at the end", &all)
}

/// Inherited over fork and exec, and the opener closes its own: they are the child's.
pub fn left_to_child(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set_with(context, OFTEN)?;
    let (connected, _) = scene.connect(4)?;
    let child = scene.client.bequeath(&connected[0..3])?;
    let port = scene.listener.port();
    let truth = |closed| {
        Ledger::default()
            .process(&scene.client, given(4, 3))
            .process(child.clone(), received(3, closed))
            .peer(Outbound, loopback(1), port, counts(4, closed))
            .both(&scene.server, Inbound, loopback(1), port, counts(4, 0))
    };
    let (moved, buried) = (truth(0), truth(3));
    scene.tracer.expect("moved to the child", &moved)?;
    scene.client.bury()?;
    scene.tracer.stop()?.expect("at the end", &buried)
}

/// Held by opener and receiver: only the last close is the end.
pub fn held_twice(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set_with(context, OFTEN)?;
    let mut other = Puppet::start("tt-receiver")?;
    other.open_mailbox()?;
    let (connected, accepted) = scene.connect(4)?;
    scene.client.send_to(&other, &connected)?;
    let passed = other.receive(4)?;
    // Two are first closed by the receiver, two first by the opener; the reconciliations between change nothing.
    let twice = scene.truth((4, 0), (4, 0));
    scene.tracer.expect("held twice", &twice)?;
    other.close(&passed[..2])?;
    scene.tracer.wait(SEVERAL_TIMES)?;
    scene.tracer.expect("two are held once", &twice)?;
    scene.client.close(&connected[..2])?;
    let two = scene.truth((4, 2), (4, 0));
    scene.tracer.expect("two are closed", &two)?;
    scene.client.close(&connected[2..])?;
    let port = scene.listener.port();
    let alone = |closed, by_server| {
        let client = Counts {
            given: 2,
            open: 0,
            ..counts(4, 2)
        };
        Ledger::default()
            .process(&scene.client, client)
            .process(&other, received(2, closed))
            .peer(Outbound, loopback(1), port, counts(4, 2 + closed))
            .both(&scene.server, Inbound, loopback(1), port, counts(4, by_server))
    };
    let (moved, all) = (alone(0, 0), alone(2, 4));
    scene.tracer.expect("two are the receiver's alone", &moved)?;
    other.close(&passed[2..])?;
    scene.server.close(&accepted)?;
    scene.tracer.stop()?.expect("at the end", &all)
}
