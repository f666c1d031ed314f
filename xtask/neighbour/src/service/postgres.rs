//! `PostgreSQL`'s protocol 3.0, as far as it is spoken here:
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use anyhow::{bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

/// `StartupMessage`, 3.0, user and database `postgres`.
const STARTUP: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
/// `Query`.
const SELECT: &[u8] = b"Q\0\0\0\x0dSELECT 1\0";

/// The longest message that is read.
const LONGEST: u32 = 1 << 16;

/// Logs in; a server that wants a password is not ours.
pub(super) async fn start(stream: &mut BufStream<TcpStream>) -> anyhow::Result<()> {
    stream.write_all(STARTUP).await?;
    until_ready(stream).await
}

/// `SELECT 1`.
pub(super) async fn select(stream: &mut BufStream<TcpStream>) -> anyhow::Result<()> {
    stream.write_all(SELECT).await?;
    until_ready(stream).await
}

/// Reads up to and with `ReadyForQuery`.
async fn until_ready(stream: &mut BufStream<TcpStream>) -> anyhow::Result<()> {
    stream.flush().await?;
    loop {
        let kind = stream.read_u8().await?;
        // The length counts itself, and not the kind.
        let length = stream.read_u32().await?;
        ensure!((4..=LONGEST).contains(&length), "a message of {length} bytes");
        let mut body = Vec::new();
        stream.take(u64::from(length - 4)).read_to_end(&mut body).await?;
        match kind {
            b'Z' => return Ok(()),
            b'E' => bail!("the server says: {}", String::from_utf8_lossy(&body)),
            b'R' if body != [0; 4] => bail!("the server wants to know who we are"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_their_own_length() {
        let length = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(length(STARTUP), STARTUP.len());
        assert_eq!(length(&SELECT[1..]), SELECT.len() - 1);
    }
}
