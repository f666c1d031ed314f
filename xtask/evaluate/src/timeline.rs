//! What happens when, one thing after the other.

use crate::world::{Entrance, World};

/// How long the kernel waits for an answer: six repetitions of the SYN, each wait twice as long (`tcp_syn_retries`).
pub const CONNECT_TIMEOUT: f64 = 127.0;

/// Something happens to a connection.
#[derive(Clone, Copy, Debug)]
pub struct Happening {
    /// When.
    pub at: f64,
    /// What.
    pub what: What,
    /// To which: an index into the world's connections.
    pub connection: usize,
}

/// What can happen. What happens first at a moment comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It opens.
    Opens,
    /// The attempt times out.
    TimesOut,
    /// It loses its peer.
    LosesPeer,
    /// Its process lets it go.
    Closes,
}

/// All that happens in a world.
pub struct Timeline(std::vec::IntoIter<Happening>);

impl Timeline {
    /// Of a world.
    pub fn new(world: &World) -> Self {
        let mut all = Vec::with_capacity(2 * world.connections.len());
        for (connection, row) in world.connections.iter().enumerate() {
            let mut happens = |at: f64, what| {
                if at <= world.horizon && at <= row.closed && row.closed >= 0.0 {
                    all.push(Happening { at, what, connection });
                }
            };
            happens(row.opened, What::Opens);
            if row.entrance == Entrance::Unanswered {
                happens(row.opened + CONNECT_TIMEOUT, What::TimesOut);
            }
            if let Some((at, _)) = row.lost {
                happens(at, What::LosesPeer);
            }
            happens(row.closed, What::Closes);
        }
        all.sort_by(|a, b| {
            a.at.total_cmp(&b.at)
                .then_with(|| (a.what, a.connection).cmp(&(b.what, b.connection)))
        });
        Self(all.into_iter())
    }

    /// The next thing that happens before a moment.
    pub fn next_before(&mut self, now: f64) -> Option<Happening> {
        let is_due = self.0.as_slice().first().is_some_and(|next| next.at < now);
        if is_due { self.0.next() } else { None }
    }

    /// The next thing that happens up to a moment.
    pub fn next_until(&mut self, now: f64) -> Option<Happening> {
        let is_due = self.0.as_slice().first().is_some_and(|next| next.at <= now);
        if is_due { self.0.next() } else { None }
    }
}
