//! The state of the world as far as the events tell: connections, and the groups they form.
//!
//! Pure: events and the time go in, facts and views come out.

pub mod budget;
pub mod by_stack;
pub mod chain;
pub mod code;
pub mod connection;
pub mod event;
pub mod fact;
pub mod group;
pub mod inventory;
pub mod ledger;
pub mod listener;
pub mod name;
pub mod process;
mod reconcile;
pub mod short;
pub mod slab;
pub mod snapshot;
pub mod stack;
pub mod tally;
pub mod time;
pub mod trend;
pub mod view;

#[cfg(test)]
mod tests;
