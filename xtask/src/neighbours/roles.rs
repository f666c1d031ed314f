//! Our own programs among the neighbours: `xtask/neighbour`, each role a process.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::child;
use crate::{paths, process, program};

/// No role lives longer, whatever becomes of us.
const LIFETIME: &str = "3h";

/// The program that plays them.
pub(super) struct Roles(PathBuf);

impl Roles {
    /// Builds it.
    pub(super) fn build() -> Result<Self> {
        let mut cargo = Command::new(process::cargo());
        process::forget_cargo(&mut cargo);
        cargo
            .args(["build", "--locked", "--package", "neighbour"])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(paths::root());
        program::executable(&mut cargo, "neighbour", "building the neighbours").map(Self)
    }

    /// A role, written as on its command line.
    pub(super) fn command(&self, role: &str) -> Command {
        let mut command = child::client(&self.0);
        command.args(["--for", LIFETIME]).args(role.split_whitespace());
        command
    }
}
