//! From addresses on a stack to functions and lines.
//!
//! [`keeper`] knows the stacks that the kernel has told, and decides when one is worth looking up. [`client`] asks a
//! helper, the same program in two processes of their own. One opens the files of others ([`fetcher`], [`maps`]), the other
//! parses them ([`parser`]), with no privileges at all (`confine`): unwind tables ([`cfi`]), symbols and debug information
//! (blazesym), Go's table of functions ([`go`]), and names of compiled code ([`perf_map`]). [`unwind`] says how much of a stack can be trusted, [`origin`]
//! whose code a frame is.

pub mod cfi;
pub mod client;
mod confine;
pub mod fetcher;
pub mod go;
pub mod keeper;
pub mod maps;
mod module;
pub mod origin;
pub mod parser;
pub mod perf_map;
pub mod protocol;
pub mod unwind;
mod wire;
