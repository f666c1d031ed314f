//! Finds, or installs, what can compile for the BPF target: a compiler with `core` for it, and bpf-linker.
//!
//! Rust's stable toolchain has neither. A developer usually has rustup's nightly with rust-src and builds `core`;
//! a Debian machine gets the distribution's compiler, which comes with `core` prebuilt.

mod linker;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, say};
use crate::{apt, paths};

/// The oldest compiler that builds the workspace (`rust-version`).
const MIN_RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Debian's compiler and its `core` for BPF.
const DEBIAN_COMPILER: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];

const HOW_TO: &str = "there is no toolchain here that can build the kernel programs. Either install rustup's \
     nightly and bpf-linker:\n    rustup toolchain install nightly --component rust-src\n    cargo install \
     bpf-linker    (or a released binary; its LLVM must not be older than the compiler's)\nor, on Debian 12, as \
     root, these packages:\n    apt-get install";

/// A compiler for the BPF target.
#[derive(Debug)]
struct Compiler {
    kind: Kind,
    /// Major version of its LLVM, where known: bpf-linker must be able to read what it writes.
    llvm: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// rustup's nightly, building `core` from rust-src.
    Nightly,
    /// `/usr/bin/rustc` with a prebuilt `core`.
    Debian,
}

/// Everything needed to build for the BPF target.
#[derive(Debug)]
pub(crate) struct Toolchain {
    kind: Kind,
    linker: PathBuf,
}

/// The toolchain to use, installed first where that is needed and possible.
pub(crate) fn find_or_install() -> Result<Toolchain> {
    let found = compilers();
    for compiler in &found {
        if let Some(linker) = linker::find(compiler.llvm) {
            return Ok(Toolchain {
                kind: compiler.kind,
                linker,
            });
        }
    }
    let there = what_is_there(&found);
    let usable = found
        .into_iter()
        .find(|compiler| linker::can_be_built_for(compiler.llvm));
    // With the packages there, building the linker needs no privileges.
    if !apt::available() && (usable.is_none() || !linker::is_buildable()) {
        let list = [&DEBIAN_COMPILER[..], &linker::PACKAGES].concat().join(" ");
        bail!("{HOW_TO} {list}    (then run this again: it builds bpf-linker itself)\n{there}");
    }
    let compiler = match usable {
        Some(compiler) => compiler,
        None => install_debian_compiler()?,
    };
    let linker = match linker::find(compiler.llvm) {
        Some(linker) => linker,
        None => linker::install()?,
    };
    Ok(Toolchain {
        kind: compiler.kind,
        linker,
    })
}

/// The half that is there, so that a person installs only the other.
fn what_is_there(compilers: &[Compiler]) -> String {
    let compiler = match compilers.first().map(|compiler| compiler.kind) {
        Some(Kind::Nightly) => "rustup's nightly with rust-src",
        Some(Kind::Debian) => "Debian's compiler with core for BPF",
        None => "no compiler for BPF",
    };
    let linker = linker::find(None);
    let linker = linker.map_or("no bpf-linker".to_owned(), |path| {
        format!("bpf-linker {}", path.display())
    });
    format!("(found here: {compiler}; {linker})")
}

fn compilers() -> Vec<Compiler> {
    [nightly(), debian()].into_iter().flatten().collect()
}

fn nightly() -> Option<Compiler> {
    let mut rustc = rustup_nightly("rustc");
    let sysroot = process::stdout_of(rustc.args(["--print", "sysroot"]), "looking for nightly").ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if !source.is_file() {
        return None;
    }
    let version = Version::of(&mut rustup_nightly("rustc"))?;
    version.is_new_enough().then_some(Compiler {
        kind: Kind::Nightly,
        llvm: version.llvm,
    })
}

fn rustup_nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    process::forget_toolchain(&mut command);
    // Looking must not start a download.
    command
        .env("RUSTUP_AUTO_INSTALL", "0")
        .args(["run", "nightly", program]);
    command
}

fn debian() -> Option<Compiler> {
    let mut rustc = Command::new("/usr/bin/rustc");
    process::forget_toolchain(&mut rustc);
    let sysroot = process::stdout_of(rustc.args(["--print", "sysroot"]), "looking for rustc").ok()?;
    let core = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target())
        .join("lib");
    let has_core = fs::read_dir(core).is_ok_and(|entries| {
        entries
            .filter_map(Result::ok)
            .any(|e| e.file_name().to_string_lossy().starts_with("libcore-"))
    });
    if !has_core || !Path::new("/usr/bin/cargo").is_file() {
        return None;
    }
    let mut rustc = Command::new("/usr/bin/rustc");
    process::forget_toolchain(&mut rustc);
    let version = Version::of(&mut rustc)?;
    version.is_new_enough().then_some(Compiler {
        kind: Kind::Debian,
        llvm: version.llvm,
    })
}

fn install_debian_compiler() -> Result<Compiler> {
    apt::install_newest(&DEBIAN_COMPILER, "compiling for BPF")?;
    let Some(compiler) = debian() else {
        bail!(
            "Debian's rustc-web is installed, but /usr/bin/rustc is older than Rust {MIN_RUST} or has no core \
             for {}: enable Debian 12's security updates, or {HOW_TO} {}",
            target(),
            DEBIAN_COMPILER.join(" ")
        );
    };
    Ok(compiler)
}

/// The compile target: BPF of this machine's byte order.
pub(crate) fn target() -> &'static str {
    if cfg!(target_endian = "big") {
        "bpfeb-unknown-none"
    } else {
        "bpfel-unknown-none"
    }
}

impl Toolchain {
    /// `cargo SUBCOMMAND` set up for the BPF target: program, target, flags, environment; the caller adds the
    /// package and the target directory.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match self.kind {
            Kind::Nightly => {
                let mut command = rustup_nightly("cargo");
                command.args([subcommand, "-Z", "build-std=core"]);
                command.env("PATH", path_with(self.linker.parent(), &[]));
                command
            }
            Kind::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                process::forget_toolchain(&mut command);
                command.arg(subcommand);
                // PATH has rustup's shims first; what asks for plain `rustc` must get this compiler, too.
                command.env("PATH", path_with(self.linker.parent(), &[Path::new("/usr/bin")]));
                command
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTDOC", "/usr/bin/rustdoc");
                // These two crates use unstable features. By name and not `1`: that makes aya-ebpf's build script
                // ask for build-std, which Debian's prebuilt core does without.
                command.env("RUSTC_BOOTSTRAP", "aya_ebpf,tracer_ebpf");
                command
            }
        };
        // Debug information becomes BTF, which the kernel wants for maps and for tracing programs.
        let flags = [
            format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH),
            "-Cdebuginfo=2".to_owned(),
            "-Clink-arg=--btf".to_owned(),
        ];
        command
            .args(["--target", target()])
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        command
    }

    /// Makes sure that `cargo clippy` works with this compiler.
    pub(crate) fn ensure_clippy(&self) -> Result<()> {
        if self.kind == Kind::Debian && !Path::new("/usr/bin/cargo-clippy").is_file() {
            apt::install(&["rust-web-clippy"], "linting the kernel programs")?;
        }
        Ok(())
    }

    /// Says which toolchain this is.
    pub(crate) fn announce(&self) {
        let compiler = match self.kind {
            Kind::Nightly => "rustup's nightly",
            Kind::Debian => "Debian's /usr/bin/rustc",
        };
        say(format_args!(
            "compiling for BPF with {compiler} and {}",
            self.linker.display()
        ));
    }
}

fn path_with(first: Option<&Path>, more: &[&Path]) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = first
        .into_iter()
        .chain(more.iter().copied())
        .map(Path::to_path_buf);
    let joined = env::join_paths(directories.chain(env::split_paths(&path)));
    joined.unwrap_or(path)
}

/// What `rustc -vV` says.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    release: (u32, u32),
    llvm: Option<u32>,
}

impl Version {
    fn of(rustc: &mut Command) -> Option<Self> {
        Self::parse(&process::stdout_of(rustc.arg("-vV"), "asking rustc for its version").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let llvm = field("LLVM version: ").and_then(|version| version.split('.').next()?.parse().ok());
        Some(Self {
            release: major_minor(field("release: ")?)?,
            llvm,
        })
    }

    fn is_new_enough(&self) -> bool {
        major_minor(MIN_RUST).is_none_or(|least| self.release >= least)
    }
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Where xtask's own tools are.
fn own_tools() -> PathBuf {
    paths::tools().join("bin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_versions_are_read() {
        let text =
            "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nrelease: 1.97.0-nightly\nLLVM version: 22.1.4\n";
        assert_eq!(
            Version::parse(text),
            Some(Version {
                release: (1, 97),
                llvm: Some(22)
            })
        );
        assert_eq!(
            Version::parse("release: 1.96.0\n"),
            Some(Version {
                release: (1, 96),
                llvm: None
            })
        );
        assert_eq!(Version::parse("gibberish"), None);
        assert!(
            Version {
                release: (2, 0),
                llvm: None
            }
            .is_new_enough()
        );
        assert!(
            !Version {
                release: (1, 85),
                llvm: None
            }
            .is_new_enough()
        );
    }
}
