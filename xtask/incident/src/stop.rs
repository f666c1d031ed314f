//! When a long-running role ends: a signal, or its hard stop.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// The ends of a role's life.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    deadline: Instant,
}

impl Stop {
    /// Catches SIGTERM and SIGINT from now on and starts the clock of the hard stop.
    pub(crate) fn after(lifetime: Duration) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            deadline: Instant::now() + lifetime,
        })
    }

    /// Waits for the end and says what it was.
    pub(crate) async fn wait(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = tokio::time::sleep_until(self.deadline) => "its time is up",
        }
    }
}
