//! A connection pool as applications have them: opened as it is wanted, kept, and mostly idle.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::service::{Service, Session};

/// Time from one use to the next.
const USE_EVERY: Duration = Duration::from_secs(1);

/// How a pool fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// Connections at the start.
    pub(crate) first: u16,
    /// Connections in the end.
    pub(crate) size: u16,
    /// Time from the first to the last.
    pub(crate) grow: Duration,
}

impl Growth {
    /// How many connections the pool has after this time.
    fn due(&self, elapsed: Duration) -> usize {
        let more = self.size.saturating_sub(self.first);
        let share = elapsed.div_duration_f64(self.grow).min(1.0);
        // The first of the others when its time has come, the last when all of it has gone by.
        let opened = (1..=more)
            .take_while(|nth| f64::from(*nth) <= share * f64::from(more))
            .count();
        usize::from(self.first) + opened
    }
}

/// Fills and uses the pool, until a connection fails.
pub(crate) async fn run(service: &Service, growth: Growth) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut pool: Vec<Session> = Vec::new();
    let mut uses = interval(USE_EVERY);
    uses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        uses.tick().await;
        while pool.len() < growth.due(begun.elapsed()) {
            pool.push(service.open().await?);
        }
        // Last in, first out, as most pools do: the others lie idle.
        if let Some(session) = pool.last_mut() {
            session.ask().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_fills_one_by_one_and_no_further() {
        let growth = Growth {
            first: 2,
            size: 20,
            grow: Duration::from_mins(3),
        };
        let due = |secs| growth.due(Duration::from_secs(secs));
        assert_eq!([due(0), due(9), due(10), due(20), due(179)], [2, 2, 3, 4, 19]);
        assert_eq!([due(180), due(100_000)], [20, 20]);
    }

    #[test]
    fn a_pool_may_be_full_at_once() {
        let growth = Growth {
            first: 10,
            size: 10,
            grow: Duration::from_secs(1),
        };
        assert_eq!(growth.due(Duration::ZERO), 10);
    }
}
