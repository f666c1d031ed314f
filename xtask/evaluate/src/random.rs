//! Random numbers of the distributions that workloads are made of, the same for the same seed.

use std::f64::consts::TAU;

use fastrand::Rng;

use crate::number::{real, whole};

/// A source of random numbers.
pub struct Random(Rng);

impl Random {
    /// The stream that belongs to a name and a seed. Streams of different names have nothing to do with each other, so
    /// a new family does not change the others.
    pub fn new(name: &str, seed: u64) -> Self {
        // FNV-1a, written out: the standard library's hashers may change.
        let hash = name
            .bytes()
            .chain(seed.to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self(Rng::with_seed(hash))
    }

    /// From `low` up to `high`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.f64()
    }

    /// From `low` up to `high`, each order of magnitude as likely as the next. Both are above zero.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        self.uniform(low.ln(), high.ln()).exp()
    }

    /// A whole number from `low` to `high`, both included.
    pub fn integer(&mut self, low: usize, high: usize) -> usize {
        self.0.usize(low..=high)
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// One of these; the default of the type if there are none.
    pub fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        self.0.choice(from).copied().unwrap_or_default()
    }

    /// Above zero, at most 1: its logarithm is finite.
    fn unit(&mut self) -> f64 {
        1.0 - self.0.f64()
    }

    /// Of the normal distribution (Box and Muller, 1958).
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        mean + deviation * radius * (TAU * self.0.f64()).cos()
    }

    /// Of the lognormal distribution: its median, and the deviation of its logarithm.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * self.normal(0.0, sigma).exp()
    }

    /// Of the exponential distribution.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// Of the Pareto distribution: at least `least`, the tail falling with `exponent`.
    pub fn pareto(&mut self, least: f64, exponent: f64) -> f64 {
        least * self.unit().powf(-1.0 / exponent)
    }

    /// Of the Poisson distribution, by its arrivals in a unit of time.
    pub fn poisson(&mut self, mean: f64) -> usize {
        let mut count = 0;
        let mut at = self.exponential(1.0);
        while at < mean {
            count += 1;
            at += self.exponential(1.0);
        }
        count
    }

    /// The arrivals of a Poisson process of `rate` per second, in order.
    pub fn arrivals(&mut self, rate: f64, from: f64, to: f64) -> Vec<f64> {
        let mut times = Vec::new();
        if rate > 0.0 {
            let mut at = from + self.exponential(1.0 / rate);
            while at < to {
                times.push(at);
                at += self.exponential(1.0 / rate);
            }
        }
        times
    }

    /// The arrivals of a Poisson process whose rate changes with time and is never above `most` (thinning; Lewis and
    /// Shedler, 1979): `share` says which part of that it is at a moment.
    pub fn arrivals_varying(
        &mut self,
        most: f64,
        from: f64,
        to: f64,
        share: impl Fn(f64) -> f64,
    ) -> Vec<f64> {
        let mut times = self.arrivals(most, from, to);
        times.retain(|at| self.chance(share(*at)));
        times
    }

    /// So many moments of a span, in order.
    pub fn moments(&mut self, count: usize, from: f64, to: f64) -> Vec<f64> {
        let mut times: Vec<f64> = (0..count).map(|_| self.uniform(from, to)).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// A process that acts every `period`, each time a little early or late, `jitter` being the share.
    pub fn beats(&mut self, period: f64, jitter: f64, to: f64) -> Vec<f64> {
        let mut at = 0.0;
        (0..whole(to / period))
            .map(|_| {
                at += period * self.uniform(1.0 - jitter, 1.0 + jitter);
                at
            })
            .collect()
    }
}

/// `count` values from `low` to `high`, evenly spaced.
pub fn spaced(count: usize, low: f64, high: f64) -> Vec<f64> {
    let step = (high - low) / real(count.saturating_sub(1).max(1));
    (0..count).map(|place| low + step * real(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 20_000;

    fn mean(mut draw: impl FnMut(&mut Random) -> f64) -> f64 {
        let mut random = Random::new("a test", 1);
        (0..COUNT).map(|_| draw(&mut random)).sum::<f64>() / real(COUNT)
    }

    #[test]
    fn a_stream_depends_on_its_name_and_its_seed_only() {
        let first = |name, seed| Random::new(name, seed).uniform(0.0, 1.0);
        assert_eq!(first("a", 1).to_bits(), first("a", 1).to_bits());
        assert_ne!(first("a", 1).to_bits(), first("b", 1).to_bits());
        assert_ne!(first("a", 1).to_bits(), first("a", 2).to_bits());
    }

    #[test]
    fn the_means_are_those_of_the_distributions() {
        for (got, wanted) in [
            (mean(|random| random.uniform(2.0, 4.0)), 3.0),
            (mean(|random| random.normal(5.0, 2.0)), 5.0),
            (mean(|random| random.exponential(7.0)), 7.0),
            (mean(|random| real(random.poisson(4.0))), 4.0),
            // a / (a - 1) for the exponent a.
            (mean(|random| random.pareto(1.0, 5.0)), 1.25),
            // exp(sigma^2 / 2) medians.
            (mean(|random| random.lognormal(10.0, 0.5)), 10.0 * 0.125_f64.exp()),
        ] {
            assert!((got - wanted).abs() < 0.03 * wanted, "{got} is not {wanted}");
        }
    }

    #[test]
    fn arrivals_come_at_their_rate_and_in_order() {
        let mut random = Random::new("arrivals", 1);
        let times = random.arrivals(2.0, 100.0, 5100.0);
        assert!((9_600..10_400).contains(&times.len()), "{}", times.len());
        assert!(times.is_sorted() && times.iter().all(|at| (100.0..5100.0).contains(at)));
        let early = random.arrivals_varying(2.0, 0.0, 5000.0, |at| if at < 1000.0 { 0.5 } else { 0.0 });
        assert!((900..1_100).contains(&early.len()), "{}", early.len());
        assert!(early.iter().all(|at| *at < 1000.0));
        assert!(random.arrivals(0.0, 0.0, 1e9).is_empty());
    }

    #[test]
    fn evenly_spaced_values_include_both_ends() {
        assert_eq!(spaced(3, 1.0, 2.0), [1.0, 1.5, 2.0]);
        assert_eq!(spaced(1, 1.0, 2.0), [1.0]);
    }
}
