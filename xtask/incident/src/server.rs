//! The victim: a gRPC server that cannot accept once its file descriptors are used up.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tonic::transport::Server;

use crate::accept::Accept;
use crate::output;
use crate::stop::Stop;

/// Serves the gRPC health service on `listen` until stopped.
pub(crate) async fn run(listen: SocketAddr, lifetime: Duration) -> anyhow::Result<()> {
    let stop = Stop::after(lifetime)?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    // The empty service name stands for the whole server and is SERVING from the start; nothing changes it.
    let (_, health) = tonic_health::server::health_reporter();
    output::line(&format!("listening on {address} pid {}", std::process::id()))?;

    // No graceful drain: a client that leaks connections would keep the server from ever ending.
    tokio::select! {
        ended = Server::builder().serve_with_incoming(health, Accept::new(listener)) => ended.context("serving failed"),
        reason = stop.wait() => Ok(output::line(&format!("server stopped: {reason}"))?),
    }
}
