//! Intervals for shares.

use crate::number::real;

/// A share, as counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// So many
    pub of: usize,
    /// of so many.
    pub all: usize,
}

impl Share {
    /// Counts one more.
    pub fn count(&mut self, is_one: bool) {
        self.of += usize::from(is_one);
        self.all += 1;
    }

    /// The share; `None` of none.
    pub fn value(self) -> Option<f64> {
        (self.all > 0).then(|| real(self.of) / real(self.all))
    }

    /// The 95 % interval of the probability behind it (Wilson, 1927).
    pub fn interval(self) -> (f64, f64) {
        /// The 97.5th percentile of the normal distribution.
        const Z: f64 = 1.959_963_985;
        let Some(share) = self.value() else {
            return (0.0, 1.0);
        };
        let all = real(self.all);
        let scale = 1.0 + Z * Z / all;
        let centre = share + Z * Z / (2.0 * all);
        let half = Z * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt();
        ((centre - half) / scale, (centre + half) / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_intervals() {
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        for (of, all, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (got_low, got_high) = Share { of, all }.interval();
            assert!(
                (got_low - low).abs() < 5e-5 && (got_high - high).abs() < 5e-5,
                "{of} of {all}: {got_low} to {got_high}"
            );
        }
    }

    #[test]
    fn of_none_nothing_is_known() {
        assert_eq!(Share::default().interval(), (0.0, 1.0));
        assert_eq!(Share::default().value(), None);
    }
}
