//! Running other programs: one way to say what is done, one way to fail.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};

/// Tells the person at the terminal what happens now.
pub(crate) fn say(message: impl Display) {
    eprintln!("xtask: {message}");
}

/// Runs a command with our own stdin, stdout and stderr; a non-zero end is an error that shows the command.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{what}: cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("{what} failed ({status}): `{}`", line(command));
    }
    Ok(())
}

/// Runs a command and keeps what it prints, whatever its exit code.
pub(crate) fn capture(command: &mut Command) -> Result<Output> {
    command
        .output()
        .with_context(|| format!("cannot start `{}`", line(command)))
}

/// Standard output of a command that has to succeed.
pub(crate) fn stdout_of(command: &mut Command, what: &str) -> Result<String> {
    let output = capture(command)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{what} failed ({}): `{}`: {}",
            output.status,
            line(command),
            stderr.trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as a person would type it, for messages only.
pub(crate) fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| {
        let word = word.to_string_lossy();
        if word.contains(|c: char| c.is_whitespace() || c == '"') {
            format!("'{word}'")
        } else {
            word.into()
        }
    }));
    words.join(" ")
}

/// The first executable of this name in the given directories.
pub(crate) fn find_in(name: &str, directories: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    directories
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

/// The first executable of this name on PATH; the system directories count even where PATH of a plain user
/// leaves them out, as Debian's does with /usr/sbin.
pub(crate) fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    find_in(name, std::env::split_paths(&path).chain(system))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The cargo that runs us.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether we may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Takes what `cargo run` and rustup's shims left in our environment away from a child.
///
/// Under `cargo xtask` the environment names the toolchain that built xtask (`CARGO`, `RUSTUP_TOOLCHAIN`,
/// `LD_LIBRARY_PATH`, ...). A child of another toolchain would mix the two; a child of the same one would be
/// rebuilt because its environment differs from that of a plain `cargo build`.
pub(crate) fn forget_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_left_by_cargo(&name) {
            command.env_remove(name);
        }
    }
}

fn is_left_by_cargo(name: &OsStr) -> bool {
    const NAMES: [&str; 4] = ["CARGO", "OUT_DIR", "LD_LIBRARY_PATH", "RUST_RECURSION_COUNT"];
    const PREFIXES: [&str; 4] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];
    let Some(name) = name.to_str() else { return false };
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Takes away, on top of [`forget_cargo`], everything that steers which compiler runs and with what flags.
pub(crate) fn forget_toolchain(command: &mut Command) {
    const PREFIXES: [&str; 5] = ["RUSTC", "RUSTDOC", "RUSTFLAGS", "CARGO_BUILD_", "CARGO_TARGET_"];
    const NAMES: [&str; 2] = ["RUSTUP_TOOLCHAIN", "CARGO_ENCODED_RUSTFLAGS"];
    forget_cargo(command);
    for (name, _) in std::env::vars_os() {
        let steers = name
            .to_str()
            .is_some_and(|name| NAMES.contains(&name) || PREFIXES.iter().any(|p| name.starts_with(p)));
        if steers {
            command.env_remove(name);
        }
    }
}
