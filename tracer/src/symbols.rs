//! From addresses on a stack to functions and lines.
//!
//! [`keeper`] knows the stacks that the kernel has told, and decides when one is worth looking up. [`client`] asks a
//! helper, the same program in a process of its own ([`worker`]), which reads the files of the process: [`maps`], unwind
//! tables ([`cfi`]), symbols and debug information (blazesym), and names of compiled code ([`perf_map`]). [`unwind`] says
//! how much of a stack can be trusted, [`origin`] whose code a frame is.

pub mod cfi;
pub mod client;
pub mod keeper;
pub mod maps;
mod module;
pub mod origin;
pub mod perf_map;
pub mod protocol;
pub mod unwind;
pub mod worker;
