//! The one that leaks.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::service::{Service, Session};

/// Opens connections, uses each once, and closes none.
pub(crate) async fn run(service: &Service, every: Duration, max_open: usize) -> anyhow::Result<()> {
    let mut forgotten: Vec<Session> = Vec::new();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while forgotten.len() < max_open {
        ticks.tick().await;
        let mut session = service.open().await?;
        session.ask().await?;
        forgotten.push(session);
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Protocol;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    #[tokio::test]
    async fn every_connection_is_used_once_and_none_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service {
            protocol: Protocol::Redis,
            target: listener.local_addr().unwrap(),
            source: Some([127, 0, 0, 9].into()),
        };
        let leak = tokio::spawn(async move { run(&service, Duration::from_millis(1), 3).await });
        let mut streams = Vec::new();
        for _ in 0..3 {
            let (mut stream, peer) = listener.accept().await.unwrap();
            assert_eq!(Some(peer.ip()), service.source);
            let mut ping = [0; 6];
            stream.read_exact(&mut ping).await.unwrap();
            stream.write_all(b"+PONG\r\n").await.unwrap();
            streams.push(stream);
        }
        let quiet = Duration::from_millis(50);
        assert!(timeout(quiet, listener.accept()).await.is_err(), "a fourth");
        for stream in &mut streams {
            let read = timeout(quiet, stream.read_u8()).await;
            assert!(read.is_err(), "used again or closed: {read:?}");
        }
        assert!(!leak.is_finished());
        leak.abort();
    }
}
