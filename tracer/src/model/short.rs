//! Connections that were over before anybody looked: counted together, for none of them needs an entry of its own.

use super::{event::Opening, tally::Lifetimes, time::Time};

/// Connections of one group that opened and closed between two looks at the events.
#[derive(Clone, Debug)]
pub struct Short {
    /// How one of them opened: what they have in common is their group.
    pub opening: Opening,
    /// How many.
    pub count: u32,
    /// Of these, that the peer closed first.
    pub gone: u32,
    /// When the first opened.
    pub first: Time,
    /// When the last closed.
    pub last: Time,
    /// How long each lived.
    pub lifetimes: Lifetimes,
}
