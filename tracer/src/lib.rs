//! `tracer`: which TCP connections are open, who holds them, who is at the other end, and which groups of them only
//! ever grow.
//!
//! The core is pure: [`btf`], [`model`], [`leak`], [`output`], [`ingest::decode`], [`bpf::plan`] and [`enrich::cgroup`]
//! take bytes, values and the time as arguments. [`bpf`] talks to the kernel, [`enrich`]
//! reads `/proc` (through [`procfs`]), [`runtime`] ties it all together.
//! `docs/architecture.md` shows the picture.

pub mod bpf;
pub mod btf;
pub mod cli;
pub mod doctor;
pub mod enrich;
pub mod exit;
pub mod ingest;
pub mod leak;
pub mod model;
pub mod output;
pub mod procfs;
pub mod runtime;
