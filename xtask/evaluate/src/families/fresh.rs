//! Families by somebody else who had not read the detector: what breaks in production, and what only looks like it.

mod clients;
mod clusters;
mod databases;
mod machines;
mod paths;
mod people;
mod servers;
mod sessions;
mod traffic;

use super::Family;
use crate::random::Random;

/// All of them.
pub(super) fn families() -> Vec<Family> {
    [
        clients::FAMILIES,
        paths::FAMILIES,
        sessions::FAMILIES,
        servers::FAMILIES,
        databases::FAMILIES,
        people::FAMILIES,
        machines::FAMILIES,
        traffic::FAMILIES,
        clusters::FAMILIES,
    ]
    .concat()
    .into_iter()
    .map(Family::blind)
    .collect()
}

/// Parts what happens into what is forgotten, which is this share from a moment on, and what ends well.
fn forget(r: &mut Random, times: Vec<f64>, from: f64, share: f64) -> (Vec<f64>, Vec<f64>) {
    times.into_iter().partition(|at| *at >= from && r.chance(share))
}
