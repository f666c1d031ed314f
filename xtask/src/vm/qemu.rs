//! The machine emulator: the one that is installed, or else one that is unpacked beside the system.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{self, say};
use crate::{apt, paths};

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// An emulator that runs here.
#[derive(Debug)]
pub(super) struct Qemu {
    program: PathBuf,
    /// Where the libraries are that it brings along.
    libraries: Option<String>,
}

impl Qemu {
    /// Finds one, or gets one: installed if apt can do so without removing anything, and unpacked under `target` if not.
    /// A newer `qemu-utils` from backports, for one, breaks the distribution's own emulator.
    pub(super) fn provide() -> Result<Self> {
        if let Some(qemu) = Self::installed() {
            return Ok(qemu);
        }
        let tree = paths::target().join("vm/qemu");
        if !tree.is_dir() {
            let Err(error) = apt::ensure_program(PROGRAM, PACKAGE, "running a guest kernel") else {
                return Self::installed().context("the package qemu-system-x86 brought no emulator");
            };
            say(format_args!("{error:#}"));
            let packages = apt::would_bring(PACKAGE)?;
            say(format_args!(
                "unpacking {} packages into {} instead",
                packages.len(),
                tree.display()
            ));
            apt::unpack(&packages, &tree)?;
        }
        Self::unpacked(&tree)
    }

    fn installed() -> Option<Self> {
        process::find_on_path(PROGRAM).map(|program| Self {
            program,
            libraries: None,
        })
    }

    /// Its firmware and modules are found from where the program lies (`get_relocated_path`, QEMU's `util/cutils.c`); its
    /// libraries are not.
    fn unpacked(tree: &Path) -> Result<Self> {
        let libraries = ["usr/lib", "lib"].map(|directory| {
            let directory = tree.join(directory).join("x86_64-linux-gnu");
            directory.to_string_lossy().into_owned()
        });
        let qemu = Self {
            program: tree.join("usr/bin").join(PROGRAM),
            libraries: Some(libraries.join(":")),
        };
        process::stdout_of(qemu.command().arg("--version"), "trying the unpacked emulator")
            .with_context(|| format!("remove {} to have it unpacked anew", tree.display()))?;
        Ok(qemu)
    }

    /// The start of a command line. Even a killed xtask must not leave a guest behind that keeps a core busy; util-linux
    /// ties the two together.
    pub(super) fn command(&self) -> Command {
        let mut command = if process::find_on_path("setpriv").is_some() {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}
