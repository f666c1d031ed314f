//! What the incident test is made of.

pub(crate) mod program;
pub(crate) mod witness;
