//! A client that never keeps a connection for long.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::service::Service;

/// Time from one use of a connection to the next.
const USE_EVERY: Duration = Duration::from_millis(500);

/// So many connections at a time, each of them followed by another.
pub(crate) async fn run(service: Service, connections: u16, live: Duration) -> anyhow::Result<()> {
    let mut all = JoinSet::new();
    for _ in 0..connections {
        all.spawn(reconnect(service, live));
    }
    all.join_next().await.context("there are no connections")??
}

async fn reconnect(service: Service, live: Duration) -> anyhow::Result<()> {
    loop {
        let end = Instant::now() + live.mul_f64(0.5 + fastrand::f64());
        let mut session = service.open().await?;
        while Instant::now() < end {
            session.ask().await?;
            sleep(USE_EVERY).await;
        }
    }
}
