//! The directory in which the servers keep their data.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A new directory that is removed at the end, and with it all that is in it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes it, for a user other than ours.
    pub(super) fn new(owner: u32) -> Result<Self> {
        // Not below target/: the way there may be closed to that user.
        let path = std::env::temp_dir().join(format!("tracer-neighbours-{}", std::process::id()));
        // Fails if anything has that name, a link that somebody else laid there included.
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        let scratch = Self(path);
        chown(&scratch.0, Some(owner), Some(owner))
            .with_context(|| format!("cannot give {} away", scratch.0.display()))?;
        Ok(scratch)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            crate::process::say(format_args!("cannot remove {}: {error}", self.0.display()));
        }
    }
}
