//! The user side under load that is made up: what an event, a tick, a snapshot and a replay cost, and what a connection
//! and a group weigh. `cargo xtask bench user` shows it; `tests/counts.rs` holds what can be counted against what is
//! committed.

pub mod count;
pub mod engine;
pub mod figure;
pub mod scenes;
pub mod stream;
pub mod world;
