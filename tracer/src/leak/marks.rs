//! From the pictures of rings to candidates: which of them have the shape of a leak, and what the ones before had.

use std::ops::RangeInclusive;

use super::{
    rings::SCALES,
    shape,
    thresholds::Thresholds,
    watch::{Candidate, Extent},
};

/// What the last pictures showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    /// Survivors of the last picture that could be a tooth of a saw.
    tooth: [u32; SCALES],
    teeth: u32,
    /// Scales whose last picture could be a life of a program that is restarted: one bit each.
    life: u8,
    /// Pictures in a row that could be a leak.
    votes: [u8; SCALES],
    votes_gone: [u8; SCALES],
}

impl Marks {
    /// Whether the last picture of any scale could be a life of a program that is restarted; forgets that.
    pub fn take_life(&mut self) -> bool {
        std::mem::take(&mut self.life) != 0
    }

    /// Looks at a picture; gives the late closes that are to be forgotten.
    pub fn look(
        &mut self,
        thresholds: &Thresholds,
        need: f64,
        inherited: u32,
        candidate: Candidate,
        candidates: &mut Vec<Candidate>,
    ) -> u32 {
        let Candidate { scale, picture, .. } = candidate;
        let (Some(tooth), Some(votes)) = (self.tooth.get_mut(scale), self.votes.get_mut(scale)) else {
            return 0;
        };
        let mut forgiven = 0;
        // All generations at once, while it still grew: a garbage collector, or a reset.
        if *tooth > 0 && f64::from(picture.left_last) >= ALL_AT_ONCE * f64::from(*tooth) {
            forgiven = picture.left_last;
            self.teeth = self.teeth.saturating_add(1);
            if self.teeth >= thresholds.teeth {
                candidates.push(Candidate {
                    teeth: Some(self.teeth),
                    is_growth: true,
                    ..candidate
                });
            }
        }
        let survivors = f64::from(picture.all());
        let grows = shape::is_growth(&picture, thresholds, thresholds.flow, false);
        let is_tooth = grows && survivors >= thresholds.tooth * need;
        *tooth = if is_tooth { picture.all() } else { 0 };
        if is_tooth {
            candidates.push(Candidate {
                is_tooth: true,
                ..candidate
            });
        }
        let is_life = grows && survivors >= thresholds.life * need;
        self.life = (self.life & !(1 << scale)) | (u8::from(is_life) << scale);
        if is_life && inherited.saturating_add(1) >= thresholds.teeth {
            candidates.push(Candidate {
                lives: Some(inherited + 1),
                is_growth: true,
                ..candidate
            });
        }
        let least = thresholds.unused_factor.min(thresholds.quiet_factor).min(1.0) * need;
        let is_whole = grows && shape::long_flow(&picture) >= thresholds.long_flow;
        let is_halves = || !grows && scale >= UNEVEN_FROM && shape::is_growth_by_halves(&picture, thresholds);
        let for_half = 2.0_f64.powf(thresholds.need_power);
        let is_newer_half = || {
            RECENT.contains(&scale)
                && f64::from(picture.newer()) >= least * for_half
                && shape::is_recent_growth(&picture, thresholds)
        };
        let found = if survivors >= least && is_whole {
            Some((need, Extent::Whole))
        } else if survivors >= least && is_halves() {
            Some((need, Extent::Halves))
        } else {
            is_newer_half().then_some((need * for_half, Extent::NewerHalf))
        };
        let (need, extent) = found.unwrap_or((need, Extent::Whole));
        vote(
            votes,
            found.is_some(),
            Candidate {
                need,
                extent,
                ..candidate
            },
            candidates,
        );
        forgiven
    }

    pub fn look_gone(
        &mut self,
        thresholds: &Thresholds,
        candidate: Candidate,
        candidates: &mut Vec<Candidate>,
    ) {
        let Candidate {
            scale, picture, need, ..
        } = candidate;
        let is_candidate = scale >= GONE_FROM
            && f64::from(picture.all()) >= need
            && shape::is_growth(&picture, thresholds, thresholds.gone_flow, true);
        if let Some(votes) = self.votes_gone.get_mut(scale) {
            vote(votes, is_candidate, candidate, candidates);
        }
    }
}

/// The first scale whose halves are longer than a day: what happens once a day is in each.
const UNEVEN_FROM: usize = 7;
/// Scales at which the newer half of a window may do.
const RECENT: RangeInclusive<usize> = 1..=6;
/// The first scale at which useless connections are judged: a proxy may leave them half closed for minutes.
const GONE_FROM: usize = 2;
/// Share of a tooth that closes at once where it is one.
const ALL_AT_ONCE: f64 = 0.7;

/// The fast scales are asked twice.
fn vote(votes: &mut u8, is_candidate: bool, candidate: Candidate, candidates: &mut Vec<Candidate>) {
    *votes = if is_candidate { votes.saturating_add(1) } else { 0 };
    let enough = if candidate.scale <= 1 { 2 } else { 1 };
    if *votes >= enough {
        candidates.push(Candidate {
            is_growth: true,
            ..candidate
        });
    }
}
