//! What ends a connection, and what only looks like it: it is open as long as a process holds it.

use anyhow::ensure;

use crate::{context::Context, scene::Scene};

pub fn reset_held(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set(context)?;
    let (connected, others) = scene.connect(6)?;

    scene.client.reset(&connected[0..2])?;
    scene.server.reset(&others[2..5])?;
    // The kernel has forgotten what was reset, on both sides.
    scene.kernel_lists(1, 1)?;
    // One more, so that what is waited for comes after the resets.
    let (marker, marked) = scene.connect(1)?;
    let truth = scene.truth((7, 2), (7, 3));
    scene.tracer.expect("the reset ones are held", &truth)?;

    scene.client.close(&connected[2..6])?;
    scene.server.close(&others[0..2])?;
    let truth = scene.truth((7, 6), (7, 5));
    scene.tracer.expect("the reset ones are closed", &truth)?;

    scene.client.close(&marker)?;
    scene.server.close(&marked)?;
    scene.server.close(&others[5..6])?;
    let truth = scene.truth((7, 7), (7, 7));
    scene.tracer.stop()?.expect("at the end", &truth)
}

/// Accept gives out what was reset while it waited, and the process holds it like any other.
pub fn reset_before_accept(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set(context)?;
    let connected = scene.client.connect(scene.listener.address, 3)?;
    scene.client.reset(&connected[0..2])?;
    let accepted = scene.server.accept(scene.listener, 3)?;
    let truth = scene.truth((3, 2), (3, 0));
    scene.tracer.expect("the reset ones are held", &truth)?;
    scene.server.close(&accepted)?;
    scene.client.close(&connected[2..])?;
    let truth = scene.truth((3, 3), (3, 3));
    scene.tracer.stop()?.expect("at the end", &truth)
}

pub fn shutdown_is_not_close(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set(context)?;
    let (connected, others) = scene.connect(4)?;

    // One shut down by the client, one by the server, one by both in each order.
    scene.client.shut_down(&connected[0..1])?;
    scene.server.shut_down(&others[1..3])?;
    scene.client.shut_down(&connected[2..4])?;
    scene.server.shut_down(&others[3..4])?;
    let (marker, marked) = scene.connect(1)?;
    let truth = scene.truth((5, 0), (5, 0));
    scene.tracer.expect("all are held", &truth)?;

    scene.client.close(&connected)?;
    let truth = scene.truth((5, 4), (5, 0));
    scene.tracer.expect("the client has closed", &truth)?;
    scene.server.close(&others)?;
    scene.client.close(&marker)?;
    scene.server.close(&marked)?;
    let truth = scene.truth((5, 5), (5, 5));
    scene.tracer.stop()?.expect("at the end", &truth)
}

/// `connect` to `AF_UNSPEC` dissolves a connection without a close, and the socket can make another.
pub fn reconnect(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set(context)?;
    let first = scene.client.connect(scene.listener.address, 1)?;
    let mut accepted = scene.server.accept(scene.listener, 1)?;
    let truth = scene.truth((1, 0), (1, 0));
    scene.tracer.expect("the first connection", &truth)?;

    scene.client.disconnect(&first[0])?;
    let second = scene.client.retry(&first[0], scene.listener.address)?;
    ensure!(second.errno == 0, "{second:?}");
    accepted.extend(scene.server.accept(scene.listener, 1)?);
    let truth = scene.truth((2, 1), (2, 0));
    scene.tracer.expect("the second connection", &truth)?;

    scene.client.close(&first)?;
    scene.server.close(&accepted)?;
    let truth = scene.truth((2, 2), (2, 2));
    scene.tracer.stop()?.expect("at the end", &truth)
}

/// A connection that another program has inherited is open until that one lets go too.
pub fn inherited(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set(context)?;
    let (connected, accepted) = scene.connect(4)?;
    scene.client.bequeath(&connected[0..2])?;
    scene.client.close(&connected[2..3])?;
    let truth = scene.truth((4, 1), (4, 0));
    scene.tracer.expect("the inherited ones are held", &truth)?;
    scene.client.bury()?;
    let truth = scene.truth((4, 3), (4, 0));
    scene.tracer.expect("the inherited ones are closed", &truth)?;
    scene.client.close(&connected[3..4])?;
    scene.server.close(&accepted)?;
    let truth = scene.truth((4, 4), (4, 4));
    scene.tracer.stop()?.expect("at the end", &truth)
}
