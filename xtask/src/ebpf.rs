//! Builds the kernel programs into the object that tracer embeds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use object::build::elf::{Builder, SectionData};
use object::elf;

use crate::paths;
use crate::process::{self, say};
use crate::toolchain::{self, Toolchain};

/// The crate with the kernel programs.
const PACKAGE: &str = "tracer-ebpf";

/// Builds the object and says where it is. What it costs at least, [`floor`], is built beside it.
pub(crate) fn build() -> Result<PathBuf> {
    let toolchain = toolchain::find_or_install()?;
    toolchain.announce();
    let mut cargo = cargo(&toolchain, "build");
    process::run(&mut cargo, "building the kernel programs")?;
    let built = built(PACKAGE);
    let whole = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let object = paths::ebpf_object();
    publish(&without_debug(&whole)?, &object)?;
    say(format_args!("kernel object: {}", object.display()));
    Ok(object)
}

/// The programs that [`build`] made to show what hooks cost when nothing is done in them.
pub(crate) fn floor() -> PathBuf {
    built("floor")
}

fn built(object: &str) -> PathBuf {
    let target = target_directory().join(toolchain::target());
    target.join("release").join(object)
}

/// A cargo command over the kernel programs, in their own target directory: their compiler need not be the
/// workspace's, and taking turns in one directory would rebuild everything every time.
pub(crate) fn cargo(toolchain: &Toolchain, subcommand: &str) -> Command {
    let mut cargo = toolchain.cargo(subcommand);
    cargo.args(["--release", "--locked", "--package", PACKAGE]);
    cargo.arg("--manifest-path").arg(paths::root().join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target_directory());
    // The workspace's release profile is made for the program, not for the object: its BTF must stay, and
    // bpf-linker does the whole-program optimisation.
    cargo
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .env("CARGO_PROFILE_RELEASE_LTO", "off");
    cargo
}

fn target_directory() -> PathBuf {
    paths::target().join("ebpf-build")
}

/// Without DWARF, which the BTF was made from and nothing reads any more: nine tenths of the object.
fn without_debug(object: &[u8]) -> Result<Vec<u8>> {
    let mut object = Builder::read(object).context("the kernel object cannot be read")?;
    for section in &mut object.sections {
        let is_debug = [&b".debug_"[..], b".rel.debug_", b".rela.debug_"]
            .iter()
            .any(|prefix| section.name.starts_with(prefix));
        section.delete |= is_debug;
    }
    // LLVM keeps the names of sections with those of symbols.
    let names = object.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    object
        .write(&mut stripped)
        .context("the kernel object cannot be written")?;
    Ok(stripped)
}

/// Replaces the object only by a different one: a new time stamp alone would rebuild tracer.
fn publish(new: &[u8], object: &Path) -> Result<()> {
    if fs::read(object).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let context = || format!("cannot write {}", object.display());
    if let Some(parent) = object.parent() {
        fs::create_dir_all(parent).with_context(context)?;
    }
    // Written aside and renamed: a concurrent build never reads half an object.
    let part = object.with_extension(format!("part-{}", std::process::id()));
    fs::write(&part, new).with_context(context)?;
    fs::rename(&part, object).with_context(context)
}
