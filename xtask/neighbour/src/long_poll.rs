//! A server that answers when there is news.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long there may be no news.
const LONGEST_HOLD: Duration = Duration::from_secs(20);
/// The longest request.
const LONGEST_REQUEST: u64 = 4096;

const NEWS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nnews\n";

/// Serves until stopped.
pub(crate) async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    accept(listener, LONGEST_HOLD).await
}

async fn accept(listener: TcpListener, longest_hold: Duration) -> anyhow::Result<()> {
    loop {
        let (stream, _peer) = listener.accept().await.context("cannot accept")?;
        // How a visitor leaves is his own affair.
        tokio::spawn(answer(BufStream::new(stream), longest_hold));
    }
}

/// Answers requests on one connection until the client goes.
async fn answer(mut stream: BufStream<TcpStream>, longest_hold: Duration) -> anyhow::Result<()> {
    while request(&mut stream).await? {
        tokio::select! {
            () = sleep(longest_hold.mul_f64(fastrand::f64())) => {}
            // The client has gone; or it does not wait for the answer, which ours never do.
            _ = stream.fill_buf() => return Ok(()),
        }
        stream.write_all(NEWS).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Reads a request up to its empty line; whether there was one.
async fn request(stream: &mut BufStream<TcpStream>) -> anyhow::Result<bool> {
    let mut head = stream.take(LONGEST_REQUEST).lines();
    while let Some(line) = head.next_line().await? {
        if line.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Protocol, Service};

    #[tokio::test]
    async fn a_visitor_gets_news_on_one_connection_and_may_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service {
            protocol: Protocol::Http,
            target: listener.local_addr().unwrap(),
            source: None,
        };
        tokio::spawn(accept(listener, Duration::from_millis(10)));
        let mut session = service.open().await.unwrap();
        for _ in 0..3 {
            session.ask().await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_no_request_is_not_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(accept(listener, Duration::from_millis(10)));
        let endless = vec![b'x'; usize::try_from(LONGEST_REQUEST).unwrap() + 1];
        client.write_all(&endless).await.unwrap();
        let mut answer = Vec::new();
        // Closed with data unread is a reset, so an error is an answer too.
        let _reset = client.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
    }
}
