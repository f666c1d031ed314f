//! One connection to a server: opened as its protocol wants it, and used.

mod http;
mod postgres;
mod redis;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use clap::ValueEnum;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufStream};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a connect or an answer may take, long polls included. A healthy neighbour that waits longer is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest line that a server may send.
const LONGEST_LINE: u64 = 4096;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// HTTP/1.1 with keep-alive.
    Http,
    /// `PostgreSQL`, version 3, without a password.
    Postgres,
    /// Redis.
    Redis,
}

/// A server, and where it is connected from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// Where it listens.
    pub(crate) target: SocketAddr,
    /// The local address of the connections.
    pub(crate) source: Option<IpAddr>,
}

/// A connection that is ready for use. Dropped, it is closed.
pub(crate) struct Session {
    protocol: Protocol,
    stream: BufStream<TcpStream>,
}

impl Service {
    /// Connects, and does what the protocol wants done first.
    pub(crate) async fn open(&self) -> anyhow::Result<Session> {
        within_patience("connect", self.connect())
            .await
            .with_context(|| format!("cannot connect to {}", self.target))
    }

    async fn connect(&self) -> anyhow::Result<Session> {
        let socket = if self.target.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        if let Some(source) = self.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let mut stream = BufStream::new(socket.connect(self.target).await?);
        if self.protocol == Protocol::Postgres {
            postgres::start(&mut stream).await?;
        }
        Ok(Session {
            protocol: self.protocol,
            stream,
        })
    }
}

impl Session {
    /// Asks for something small and waits for the answer.
    pub(crate) async fn ask(&mut self) -> anyhow::Result<()> {
        let answer = async {
            match self.protocol {
                Protocol::Http => http::get(&mut self.stream).await,
                Protocol::Postgres => postgres::select(&mut self.stream).await,
                Protocol::Redis => redis::ping(&mut self.stream).await,
            }
        };
        within_patience("answer", answer).await
    }
}

async fn within_patience<T>(what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    timeout(PATIENCE, work)
        .await
        .map_err(|_elapsed| anyhow!("no {what} within {PATIENCE:?}"))
        .flatten()
}

/// The next line without its end.
async fn line(stream: &mut BufStream<TcpStream>) -> anyhow::Result<String> {
    let mut line = String::new();
    stream.take(LONGEST_LINE).read_line(&mut line).await?;
    ensure!(
        line.ends_with('\n'),
        "the server closed the connection, or its line is too long"
    );
    line.truncate(line.trim_end().len());
    Ok(line)
}
