//! Reads the descriptor tables of all processes through a BPF iterator.

use std::{
    io::{self, Read as _},
    time::Duration,
};

use aya::{Btf, Ebpf, programs::Iter};
use rustix::time::{ClockId, clock_gettime};
use thiserror::Error;
use tracer_common::names::program;

use crate::{
    ingest::{
        decode::DecodeError,
        rows::{Hz, decode_rows, first_jiffies},
    },
    model::{snapshot::Snapshot, time::Time},
};

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The iterator cannot be loaded or opened.
    #[error("the descriptor tables cannot be read: {0}")]
    Iterator(String),
    /// Reading it failed.
    #[error("reading the descriptor tables failed: {0}")]
    Read(#[from] io::Error),
    /// It wrote something else than rows.
    #[error("a row of the descriptor tables makes no sense: {0}")]
    Row(#[from] DecodeError),
}

impl SnapshotError {
    fn iterator(error: impl std::fmt::Display) -> Self {
        Self::Iterator(error.to_string())
    }
}

/// Reads snapshots.
pub struct Snapshots {
    hz: Option<Hz>,
    bytes: Vec<u8>,
}

impl Snapshots {
    /// Loads the iterator.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn new(ebpf: &mut Ebpf, btf: &Btf) -> Result<Self, SnapshotError> {
        iterator(ebpf)?
            .load("task_file", btf)
            .map_err(SnapshotError::iterator)?;
        Ok(Self {
            hz: None,
            bytes: Vec::new(),
        })
    }

    /// Reads who holds what now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self, ebpf: &mut Ebpf, began: Time) -> Result<Snapshot, SnapshotError> {
        let program = iterator(ebpf)?;
        let link = program.attach().map_err(SnapshotError::iterator)?;
        let link = program.take_link(link).map_err(SnapshotError::iterator)?;
        let mut file = link.into_file().map_err(SnapshotError::iterator)?;
        self.bytes.clear();
        file.read_to_end(&mut self.bytes)?;
        if self.hz.is_none() {
            self.hz =
                first_jiffies(&self.bytes).and_then(|(at, jiffies)| Hz::from_jiffies(jiffies, uptime(at)));
        }
        let mut snapshot = Snapshot {
            began,
            failed: Some(Vec::new()),
            ..Snapshot::default()
        };
        decode_rows(&self.bytes, self.hz, &mut snapshot)?;
        Ok(snapshot)
    }
}

/// The moment by `CLOCK_MONOTONIC`, which jiffies follow: without the time that the machine slept.
fn uptime(at: Time) -> Duration {
    let nanos = |clock| {
        let now = clock_gettime(clock);
        Duration::new(
            now.tv_sec.try_into().unwrap_or(0),
            now.tv_nsec.try_into().unwrap_or(0),
        )
    };
    let slept = nanos(ClockId::Boottime).saturating_sub(nanos(ClockId::Monotonic));
    at.since(Time(0)).saturating_sub(slept)
}

fn iterator(ebpf: &mut Ebpf) -> Result<&mut Iter, SnapshotError> {
    ebpf.program_mut(program::HELD_ROWS)
        .ok_or_else(|| {
            SnapshotError::Iterator(format!("the kernel object has no program {}", program::HELD_ROWS))
        })?
        .try_into()
        .map_err(SnapshotError::iterator)
}
