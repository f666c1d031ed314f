//! Recordings of what happened, to be replayed: `docs/recording.md` describes the format.
//!
//! Pure: bytes and lines in, lines and changes of the ledger out. Files are opened by [`replay`](crate::replay).

pub mod books;
pub mod journal;
pub mod kind;
pub mod line;
pub mod player;
pub mod queue;
pub mod reader;
pub mod scalar;
pub mod schedule;
pub mod wall;
pub mod written;

#[cfg(test)]
mod tests;
