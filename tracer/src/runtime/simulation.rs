//! Losses on purpose (`--simulate-loss`): to see what they do to the results.

use fastrand::Rng;

/// Drops a share of the records, the same ones in every run.
pub struct SimulatedLoss {
    rate: f64,
    random: Rng,
}

impl SimulatedLoss {
    /// Drops this share of the records, from 0 to 1.
    pub fn new(rate: f64) -> Self {
        Self {
            rate,
            random: Rng::with_seed(9090),
        }
    }

    /// Whether the next record is dropped.
    pub fn strikes(&mut self) -> bool {
        // The order of the two keeps a tracer that simulates nothing from drawing a number for each record.
        self.rate > 0.0 && self.random.f64() < self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_the_one_asked_for() {
        let dropped = |rate| {
            let mut loss = SimulatedLoss::new(rate);
            (0..100_000).filter(|_| loss.strikes()).count()
        };
        assert_eq!(dropped(0.0), 0);
        assert_eq!(dropped(1.0), 100_000);
        let fifth = dropped(0.2);
        assert!((19_000..21_000).contains(&fifth), "{fifth}");
    }
}
