//! gRPC channels of exactly one TCP connection each, and the health check made on them.

use std::future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

use crate::socket::OpenSockets;

/// How long closing may take. Nothing but this process is waited for, so it is ample.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens channels to one server and knows how many of their connections are open.
pub(crate) struct Dialer {
    target: SocketAddr,
    source: Option<IpAddr>,
    connect_timeout: Duration,
    call_timeout: Duration,
    sockets: OpenSockets,
}

impl Dialer {
    /// A dialer to `target`, from the local address `source` if given.
    pub(crate) fn new(
        target: SocketAddr,
        source: Option<IpAddr>,
        connect_timeout: Duration,
        call_timeout: Duration,
    ) -> Self {
        Self {
            target,
            source,
            connect_timeout,
            call_timeout,
            sockets: OpenSockets::default(),
        }
    }

    /// Opens a channel whose TCP connection is established when this returns.
    ///
    /// A tonic channel reconnects by itself, which would blur the count of connections. This one is given its only
    /// socket and refuses to make another.
    pub(crate) async fn open(&self) -> anyhow::Result<Channel> {
        timeout(self.connect_timeout, self.connect())
            .await
            .map_err(|_elapsed| anyhow::anyhow!("no connection within {:?}", self.connect_timeout))
            .flatten()
            .with_context(|| format!("cannot connect to {}", self.target))
    }

    async fn connect(&self) -> anyhow::Result<Channel> {
        let socket = self.sockets.connect(self.target, self.source).await?;
        let mut only = Some(TokioIo::new(socket));
        let hand_over = service_fn(move |_uri| {
            future::ready(only.take().ok_or_else(|| io::Error::other("connection lost")))
        });
        let endpoint = Endpoint::from_shared(format!("http://{}", self.target))?;
        Ok(endpoint.connect_with_connector(hand_over).await?)
    }

    /// Asks for the health of the whole server.
    ///
    /// The channel may be cloned for it: clones share the one connection.
    pub(crate) async fn check(&self, channel: Channel) -> anyhow::Result<ServingStatus> {
        // A full server leaves the connection in its backlog: established, and silent for ever.
        timeout(self.call_timeout, ask(channel))
            .await
            .map_err(|_elapsed| anyhow::anyhow!("no answer within {:?}", self.call_timeout))
            .flatten()
            .context("health check failed")
    }

    /// How many TCP connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.sockets.count()
    }

    /// Waits until the connections of dropped channels are closed.
    pub(crate) async fn wait_closed(&self) -> anyhow::Result<()> {
        timeout(CLOSE_TIMEOUT, self.sockets.all_closed())
            .await
            .with_context(|| format!("{} connections did not close", self.open_connections()))
    }
}

async fn ask(channel: Channel) -> anyhow::Result<ServingStatus> {
    // The empty service name asks for the server as a whole.
    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await?;
    Ok(answer.into_inner().status())
}
