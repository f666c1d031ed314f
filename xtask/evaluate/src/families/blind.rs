//! Families by somebody who had not read the detector: software with its defaults, and incidents as people tell them.
//! They have been looked at since; [`super::fresh`] took their place.

mod clusters;
mod crowds;
mod forgetful_clients;
mod forgetful_processes;
mod forgetful_servers;
mod platforms;
mod pools;
mod traffic;
mod works;

use super::{
    Family,
    calendar::{Calendar, ramp},
    keep_alive,
    parts::{Span, begins, begins_to_leak, chain, hold, limit_above, now_and_then, requests},
};

/// All of them.
pub(super) fn families() -> Vec<Family> {
    [
        forgetful_clients::FAMILIES,
        forgetful_processes::FAMILIES,
        forgetful_servers::FAMILIES,
        pools::FAMILIES,
        clusters::FAMILIES,
        traffic::FAMILIES,
        crowds::FAMILIES,
        works::FAMILIES,
        platforms::FAMILIES,
    ]
    .concat()
    .into_iter()
    .map(Family::seen)
    .collect()
}
