//! Tests of the BTF reader on blobs built here and on the running kernel's.

mod builder;
mod function;
mod properties;
mod raw;
mod resolve;
mod vmlinux;
