//! Where things are kept.

use std::path::{Path, PathBuf};

/// The workspace's top directory.
pub(crate) fn root() -> PathBuf {
    // `cargo run` names the package's directory; a copied binary falls back to where it was built.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_path_buf)
}

/// What xtask itself makes or downloads lives here, also where `CARGO_TARGET_DIR` moves cargo's own output:
/// tracer's build script looks for the kernel object in the workspace.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// `--root` of the tools that xtask installs for itself.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The kernel object that tracer embeds.
pub(crate) fn ebpf_object() -> PathBuf {
    target().join("ebpf/tracer-ebpf.o")
}
