//! bpf-linker: finding one that can read what the compiler writes, and building it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::own_tools;
use crate::process::{self, say};
use crate::{apt, paths};

const NAME: &str = "bpf-linker";
/// The version that is known to link these programs.
const VERSION: &str = "0.13.0";
/// The LLVM it is built against here, the one of Debian's compiler.
const LLVM: u32 = 22;

/// What building bpf-linker needs beyond Rust: LLVM, and the C++ library to link it.
pub(super) const PACKAGES: [&str; 2] = ["g++", "llvm-22-dev"];

/// A working bpf-linker whose LLVM is not older than the compiler's: the user's own first, then ours.
pub(super) fn find(compiler_llvm: Option<u32>) -> Option<PathBuf> {
    let theirs = process::find_on_path(NAME);
    let ours = process::find_in(NAME, [own_tools()]);
    theirs
        .into_iter()
        .chain(ours)
        .find(|linker| works(linker) && is_new_enough(llvm_of(linker), compiler_llvm))
}

/// Whether [`install`] would bring one that fits.
pub(super) fn can_be_built_for(compiler_llvm: Option<u32>) -> bool {
    is_new_enough(Some(LLVM), compiler_llvm)
}

/// Whether everything is there to build it.
pub(super) fn is_buildable() -> bool {
    llvm_prefix().join("bin/llvm-config").is_file() && process::find_on_path("g++").is_some()
}

fn llvm_prefix() -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{LLVM}"))
}

/// An unknown version is given the chance: linking then says what is wrong.
fn is_new_enough(linker: Option<u32>, compiler: Option<u32>) -> bool {
    linker
        .zip(compiler)
        .is_none_or(|(linker, compiler)| linker >= compiler)
}

fn works(linker: &Path) -> bool {
    process::capture(Command::new(linker).arg("--version")).is_ok_and(|output| output.status.success())
}

/// It does not tell its LLVM version, but the shared library it needs does; a static one remains unknown.
fn llvm_of(linker: &Path) -> Option<u32> {
    let output = process::capture(Command::new("ldd").arg(linker)).ok()?;
    llvm_in(&String::from_utf8_lossy(&output.stdout))
}

fn llvm_in(ldd: &str) -> Option<u32> {
    let (_, rest) = ldd.split_once("libLLVM")?;
    let digits: String = rest
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// Builds bpf-linker into `target/tools`.
pub(super) fn install() -> Result<PathBuf> {
    if !is_buildable() {
        apt::install(&PACKAGES, "building bpf-linker")?;
    }
    say(format_args!(
        "building {NAME} {VERSION} into {} (about a minute)",
        paths::tools().display()
    ));
    let mut cargo = Command::new(process::cargo());
    process::forget_cargo(&mut cargo);
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
    ] {
        cargo.env_remove(name);
    }
    cargo.args([
        "install",
        "--quiet",
        NAME,
        "--version",
        VERSION,
        "--locked",
        "--force",
    ]);
    cargo.args(["--no-default-features", "--features", &format!("llvm-{LLVM}")]);
    cargo
        .arg("--root")
        .arg(paths::tools())
        .env("LLVM_PREFIX", llvm_prefix());
    process::run(&mut cargo, "building bpf-linker")?;
    let linker = process::find_in(NAME, [own_tools()]).context("cargo install left no bpf-linker behind")?;
    if !works(&linker) {
        bail!(
            "the bpf-linker just built does not start: run `{} --version` to see why",
            linker.display()
        );
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_version_is_read_from_the_library_name() {
        let debian = "\tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x00007f12)\n";
        assert_eq!(llvm_in(debian), Some(22));
        assert_eq!(
            llvm_in("\tlibLLVM-19.so.1 => /lib/libLLVM-19.so.1 (0x0)\n"),
            Some(19)
        );
        assert_eq!(llvm_in("\tstatically linked\n"), None);
    }

    #[test]
    fn a_linker_must_read_what_the_compiler_writes() {
        assert!(is_new_enough(Some(22), Some(22)));
        assert!(!is_new_enough(Some(21), Some(22)));
        assert!(is_new_enough(None, Some(22)));
    }
}
