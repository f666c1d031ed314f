//! What people and programs see. Pure: values in, text out; writing is [`runtime`](crate::runtime)'s.

pub mod advice;
pub mod circumstances;
pub mod errno;
pub mod export;
#[cfg(feature = "flamegraph")]
pub mod flamegraph;
pub mod folded;
pub mod json;
mod leak;
pub mod list;
pub mod number;
pub mod record;
pub mod sanitize;
pub mod span;
pub mod stack;
pub mod table;
pub mod text;
mod who;
pub mod wrap;

#[cfg(test)]
mod tests;
