//! Whether a picture of survivors has the shape of a leak. Formulas and their reasons: `docs/detection.md`.

use super::{rings::Picture, thresholds::Thresholds};

/// Whether a picture has the shape of growth that goes on: every third of the window left survivors, it still grows,
/// and what has become old stays, now and in the longer past (`long`).
pub fn is_growth(picture: &Picture, shape: &Thresholds, min_flow: f64, long: bool) -> bool {
    let survivors = f64::from(picture.all());
    if picture.matured == 0 || survivors <= 0.0 {
        return false;
    }
    let least = picture.thirds().into_iter().min().unwrap_or(0);
    // Two periods of six.
    let expected_young = survivors / 3.0;
    f64::from(least) >= shape.even * survivors / 3.0
        && f64::from(picture.young) >= shape.young * expected_young
        && flow(picture) >= min_flow
        && (!long || long_flow(picture) >= shape.long_flow)
}

/// Share of what became old that stays: 1 - left / matured. In equilibrium it is 0 (Little's law: as many leave above
/// an age as reach it), of a leak 1.
pub fn flow(picture: &Picture) -> f64 {
    1.0 - f64::from(picture.left) / f64::from(picture.matured.max(1))
}

/// The same over the longer past.
pub fn long_flow(picture: &Picture) -> f64 {
    if picture.matured_long > 0.0 {
        1.0 - f64::from(picture.left_long) / f64::from(picture.matured_long)
    } else {
        1.0
    }
}
