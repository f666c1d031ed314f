//! People before a long-polling page: they come one by one, stay for minutes, go, and come again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::service::Service;

/// How long a visitor is away, and how long there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    away: Duration,
    shortest: Duration,
    longest: Duration,
}

impl Habits {
    /// Habits that make sense.
    pub(crate) fn new(away: Duration, shortest: Duration, longest: Duration) -> anyhow::Result<Self> {
        ensure!(
            shortest <= longest,
            "the shortest stay is longer than the longest"
        );
        Ok(Self {
            away,
            shortest,
            longest,
        })
    }

    fn time_away(&self) -> Duration {
        self.away.mul_f64(fastrand::f64())
    }

    fn stay(&self) -> Duration {
        self.shortest
            + self
                .longest
                .saturating_sub(self.shortest)
                .mul_f64(fastrand::f64())
    }
}

/// So many of them, until one is not served.
pub(crate) async fn run(service: Service, visitors: u16, habits: Habits) -> anyhow::Result<()> {
    let mut all = JoinSet::new();
    for _ in 0..visitors {
        all.spawn(come_and_go(service, habits));
    }
    all.join_next().await.context("there are no visitors")??
}

async fn come_and_go(service: Service, habits: Habits) -> anyhow::Result<()> {
    loop {
        sleep(habits.time_away()).await;
        let mut session = service.open().await?;
        let visit = async {
            loop {
                if let Err(error) = session.ask().await {
                    return error;
                }
            }
        };
        if let Ok(error) = timeout(habits.stay(), visit).await {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_are_as_long_as_said() {
        let [one, eight] = [1, 8].map(Duration::from_mins);
        let habits = Habits::new(one, one, eight).unwrap();
        assert!((0..1000).all(|_| (one..=eight).contains(&habits.stay()) && habits.time_away() <= one));
        assert!(Habits::new(one, eight, one).is_err());
    }
}
