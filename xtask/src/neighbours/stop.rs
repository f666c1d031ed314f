//! Ending early: a signal ends the run, and with it everything that was started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether the run is to end.
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Turns the signals that ask for an end into an error at the next check, so that what was started is ended too.
    pub(super) fn on_signals() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&asked)).context("cannot catch signals")?;
        }
        Ok(Self(asked))
    }

    /// Fails once a signal has asked for the end.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(!self.0.load(Ordering::Relaxed), "ended by a signal");
        Ok(())
    }
}
