//! Redis, as far as it is spoken here: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use anyhow::ensure;
use tokio::io::{AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

/// `PING`, as an inline command.
pub(super) async fn ping(stream: &mut BufStream<TcpStream>) -> anyhow::Result<()> {
    stream.write_all(b"PING\r\n").await?;
    stream.flush().await?;
    let answer = super::line(stream).await?;
    ensure!(answer == "+PONG", "not the answer to PING: {answer:?}");
    Ok(())
}
