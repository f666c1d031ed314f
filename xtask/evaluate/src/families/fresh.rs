//! Families by somebody else who had not read the detector: what breaks in production, and what only looks like it.
//! They have been looked at since; [`super::third`] took their place.

mod clients;
mod clusters;
mod databases;
mod machines;
mod paths;
mod people;
mod servers;
mod sessions;
mod traffic;

use super::{Family, parts::forget};

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
    .map(Family::seen)
    .collect()
}
