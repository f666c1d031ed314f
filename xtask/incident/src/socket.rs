//! TCP connections that are counted from the connect to the close.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

/// Counts the open sockets of this process.
///
/// Dropping a tonic channel closes nothing by itself: the socket belongs to a background task that ends some time
/// later. Only the sockets themselves can tell when they are closed.
#[derive(Debug, Default)]
pub(crate) struct OpenSockets(watch::Sender<()>);

impl OpenSockets {
    /// Connects to `target`, from `source` if given.
    pub(crate) async fn connect(&self, target: SocketAddr, source: Option<IpAddr>) -> io::Result<Socket> {
        let socket = if target.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(target).await?;
        Ok(Socket {
            stream,
            _open: self.0.subscribe(),
        })
    }

    /// How many are open now.
    pub(crate) fn count(&self) -> usize {
        self.0.receiver_count()
    }

    /// Waits until none is open.
    pub(crate) async fn all_closed(&self) {
        self.0.closed().await;
    }
}

/// A connected TCP socket that counts as open until it is dropped, which closes it.
pub(crate) struct Socket {
    // Before the mark, so that the socket is closed by the time it no longer counts: fields drop in this order.
    stream: TcpStream,
    _open: watch::Receiver<()>,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
