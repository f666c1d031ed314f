//! What processes have left.

use anyhow::{Context as _, ensure};

use crate::{
    context::Context,
    puppet::loopback,
    scene::{OFTEN, Scene},
    stream::{Descriptors, Direction::Outbound, Ports},
    witness,
};

const OPEN: usize = 20;
const LIMIT: u64 = 100;

/// Descriptors against their limit, and ephemeral ports against their range.
pub fn budgets(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set_with(context, OFTEN)?;
    scene.server.limit_descriptors(LIMIT)?;
    let (connected, _) = scene.connect(OPEN)?;
    scene.client.close(&connected[..5])?;
    let open = OPEN as u64 - 5;
    let of_server = Descriptors {
        used: witness::descriptors(scene.server.pid())?,
        // And the one that listens.
        sockets: OPEN as u64 + 1,
        limit: Some(LIMIT),
    };
    let of_client = (witness::descriptors(scene.client.pid())?, open);
    let ports = Ports {
        used: open,
        available: witness::ephemeral_ports()?,
    };
    scene.tracer.expect_table("budgets", |table| {
        let server = table.process(&scene.server).and_then(|row| row.descriptors);
        ensure!(server == Some(of_server), "the server: {server:?}");
        let client = table.process(&scene.client).and_then(|row| row.descriptors);
        let client = client.context("no descriptors of the client")?;
        ensure!(
            (client.used, client.sockets) == of_client,
            "the client: {client:?}"
        );
        let peer = table.peer(Outbound, loopback(1), scene.listener.port());
        let told = peer.and_then(|row| row.ports);
        ensure!(told == Some(ports), "ports: {told:?}");
        Ok(())
    })?;
    scene.tracer.stop()?.summary.books.are_clean()
}
