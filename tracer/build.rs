//! Puts the kernel object, built by `cargo xtask build-ebpf`, where the library can include it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo::rerun-if-env-changed=TRACER_EBPF_OBJECT");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    let object = env::var_os("TRACER_EBPF_OBJECT")
        .map_or_else(|| root.join("target/ebpf/tracer-ebpf.o"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("tracer-ebpf.o");
    if let Err(error) = fs::copy(&object, &out) {
        println!(
            "cargo::error=no kernel object at {} ({error}): run `cargo xtask build-ebpf` first",
            object.display()
        );
    }
}
