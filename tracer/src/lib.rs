//! `tracer`: which TCP connections are open, who holds them, who is at the other end, and which groups of them only
//! ever grow.
//!
//! The core is pure: [`btf`], [`model`], [`leak`], [`output`], [`ingest::decode`], [`bpf::plan`], [`enrich::cgroup`]
//! and [`fallback::join`] take bytes, values and the time as arguments. [`bpf`] talks to the kernel, [`enrich`] and
//! [`fallback`] read `/proc` (through [`procfs`]) and `sock_diag`, [`runtime`] ties it all together, [`list`] looks once.
//! [`symbols`] looks stacks up in a helper process. `docs/architecture.md` shows the picture.

pub mod analysis;
pub mod bpf;
pub mod btf;
pub mod cli;
pub mod clock;
pub mod doctor;
pub mod enrich;
pub mod exit;
pub mod fallback;
pub mod ingest;
pub mod leak;
pub mod list;
pub mod model;
pub mod output;
pub mod procfs;
pub mod record;
pub mod recording;
pub mod replay;
pub mod require;
pub mod runtime;
mod stdout;
pub mod symbols;
