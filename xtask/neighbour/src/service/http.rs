//! HTTP/1.1, as far as it is spoken here: one `GET` after the other on one connection (RFC 9112).

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

/// The longest body that is read.
const LONGEST_BODY: u64 = 1 << 20;
/// The most header lines.
const MOST_HEADERS: usize = 100;

/// Asks for `/` and reads the whole answer.
pub(super) async fn get(stream: &mut BufStream<TcpStream>) -> anyhow::Result<()> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: neighbour\r\n\r\n")
        .await?;
    stream.flush().await?;
    let status = super::line(stream).await?;
    ensure!(
        status.starts_with("HTTP/1.1 200"),
        "not the answer wanted: {status:?}"
    );
    let length = body_length(stream).await?;
    let read = tokio::io::copy(&mut stream.take(length), &mut tokio::io::sink()).await?;
    ensure!(read == length, "the server closed the connection in its answer");
    Ok(())
}

async fn body_length(stream: &mut BufStream<TcpStream>) -> anyhow::Result<u64> {
    let mut length = None;
    for _ in 0..MOST_HEADERS {
        let line = super::line(stream).await?;
        if line.is_empty() {
            return length.context("the answer does not say how long it is");
        }
        if let Some(value) = content_length(&line) {
            ensure!(value <= LONGEST_BODY, "an answer of {value} bytes");
            length = Some(value);
        }
    }
    bail!("the answer has too many header lines")
}

fn content_length(line: &str) -> Option<u64> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("content-length")
        .then(|| value.trim().parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::content_length;

    #[test]
    fn only_the_length_is_read_from_headers() {
        assert_eq!(content_length("content-LENGTH:  17"), Some(17));
        for other in ["Content-Length", "Content-Length: -1", "X-Content-Length: 17", ""] {
            assert_eq!(content_length(other), None, "{other}");
        }
    }
}
