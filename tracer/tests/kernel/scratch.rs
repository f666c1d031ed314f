//! A place for files.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use crate::context::Context;

/// A directory that anybody may read, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(context: &Context, name: &str) -> anyhow::Result<Self> {
        let name = format!("tracer-{name}-{}-{}", context.backend, std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _: std::io::Result<()> = fs::remove_dir_all(&self.0);
    }
}
