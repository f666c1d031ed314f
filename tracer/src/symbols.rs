//! From addresses on a stack to functions and lines.
//!
//! [`keeper`] knows the stacks that the kernel has told, and decides when one is worth looking up.

pub mod keeper;
