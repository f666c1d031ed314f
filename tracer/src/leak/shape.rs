//! Whether a picture of survivors has the shape of a leak. Formulas and their reasons: `docs/detection.md`.

use super::{
    rings::{COHORTS, Picture},
    thresholds::Thresholds,
};

/// Whether a picture has the shape of growth that goes on: every third of the window left survivors, it still grows,
/// and what has become old stays, now and in the longer past (`long`).
pub fn is_growth(picture: &Picture, shape: &Thresholds, min_flow: f64, long: bool) -> bool {
    let survivors = f64::from(picture.all());
    if picture.matured == 0 || survivors <= 0.0 {
        return false;
    }
    // Two periods of six.
    let expected_young = survivors / 3.0;
    is_even(&picture.thirds(), survivors, shape)
        && f64::from(picture.young) >= shape.young * expected_young
        && flow(picture) >= min_flow
        && (!long || long_flow(picture) >= shape.long_flow)
}

/// The same of growth that comes and goes, by night or in some hours: each half of the window has its share, and there
/// is something young.
pub fn is_growth_by_halves(picture: &Picture, shape: &Thresholds) -> bool {
    let survivors = f64::from(picture.all());
    picture.matured > 0
        && picture.young > 0
        && is_even(&picture.halves(), survivors, shape)
        && flow(picture) >= shape.flow
        && long_flow(picture) >= shape.long_flow
}

/// The same of growth that began half a window ago: each newer cohort has its share, and what is young has, too.
pub fn is_recent_growth(picture: &Picture, shape: &Thresholds) -> bool {
    let survivors = f64::from(picture.newer());
    // Two periods of three.
    let expected_young = survivors * 2.0 / 3.0;
    let newer = picture.survivors.get(COHORTS / 2..).unwrap_or_default();
    picture.matured > 0
        && is_even(newer, survivors, shape)
        && f64::from(picture.young) >= shape.young * expected_young
        && flow(picture) >= shape.flow
        && long_flow(picture) >= shape.long_flow
}

/// Whether each part of the window has its share of the survivors.
fn is_even(parts: &[u32], survivors: f64, shape: &Thresholds) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a few parts")]
    let expected = survivors / parts.len() as f64;
    survivors > 0.0 && parts.iter().all(|part| f64::from(*part) >= shape.even * expected)
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
