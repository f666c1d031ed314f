//! The accept loop, with grpc-go's behaviour when the server is out of file descriptors.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

/// grpc-go's delays: 5 ms, doubled up to 1 s, from the start again after a success.
const FIRST_DELAY: Duration = Duration::from_millis(5);
const LAST_DELAY: Duration = Duration::from_secs(1);

/// Accepted connections; an accept error is waited out and retried, never passed on.
///
/// Passing it on would let tonic retry at once and spin, where the server of the incident sat idle and looked healthy.
pub(crate) struct Accept {
    listener: TcpListener,
    pause: Option<Pin<Box<Sleep>>>,
    /// Failures since the last success.
    failures: u32,
}

impl Accept {
    /// Accepts from `listener`.
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            pause: None,
            failures: 0,
        }
    }

    fn failed(&mut self, error: &io::Error) {
        let delay = backoff(self.failures);
        // Once for each run of failures: the server retries for as long as it is frozen.
        if self.failures == 0 {
            eprintln!("accept error: {error}; retrying in {delay:?}, then up to every {LAST_DELAY:?}");
        }
        self.failures = self.failures.saturating_add(1);
        self.pause = Some(Box::pin(sleep(delay)));
    }

    fn succeeded(&mut self) {
        if self.failures > 0 {
            eprintln!("accepting again after {} failed attempts", self.failures);
            self.failures = 0;
        }
    }
}

/// The delay after as many failures before this one.
fn backoff(failures: u32) -> Duration {
    FIRST_DELAY
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LAST_DELAY)
}

impl Stream for Accept {
    type Item = Result<TcpStream, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(cx)) {
                Ok((stream, _peer)) => {
                    self.succeeded();
                    return Poll::Ready(Some(Ok(stream)));
                }
                Err(error) => self.failed(&error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::backoff;
    use std::time::Duration;

    #[test]
    fn backoff_doubles_to_a_second_and_stays_there() {
        let delays: Vec<_> = (0..10).map(|failures| backoff(failures).as_millis()).collect();
        assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(backoff(u32::MAX), Duration::from_secs(1));
    }
}
