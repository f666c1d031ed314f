//! Survivor rings: how many connections of each birth period are still open, at eight time scales at once.
//!
//! A ring holds eight cohorts of equal length; a cohort is mature two periods after it began to be the past, so each
//! scale has its own idea of old. No connection is stored: a close says when its connection opened, and finds its cohort
//! again by that. The idea of counting surviving generations is `GenCount`'s (V. Šor, Statistical memory leak detection,
//! Tartu 2014); `docs/detection.md` has the rest.

use std::time::Duration;

use crate::model::{fact::Start, time::Time};

/// Time scales.
pub const SCALES: usize = 8;
/// Cohorts of a ring.
const SLOTS: usize = 8;
/// The youngest cohorts, which are too young to count as survivors.
const IMMATURE: usize = 2;
/// The mature ones.
pub const COHORTS: usize = SLOTS - IMMATURE;
/// Length of a period of the first scale, in seconds.
const BASE: u64 = 16;
/// Each scale's period is this many times the one before.
const RATIO: u32 = 3;
/// Periods after which half of the long memory is forgotten.
const HALF_LIFE: f32 = 32.0;

/// Base periods in which every ring has turned twice.
const LONG: u32 = 16 * stride(SCALES - 1);

/// Length of a period of a scale: 16 s, 48 s, … 9.7 h.
pub fn period(scale: usize) -> Duration {
    Duration::from_secs(BASE * u64::from(stride(scale)))
}

/// Base periods in a period of a scale.
const fn stride(scale: usize) -> u32 {
    let mut stride = 1;
    let mut s = 0;
    while s < scale {
        stride *= RATIO;
        s += 1;
    }
    stride
}

/// Of all scales: constants, for no event waits for a division.
const STRIDES: [u32; SCALES] = {
    let mut strides = [1; SCALES];
    let mut scale = 0;
    while scale < SCALES {
        strides[scale] = stride(scale);
        scale += 1;
    }
    strides
};

/// A moment in base periods. Groups are shifted against each other (`phase`, below 16 s), so that not all of them come
/// to the end of a period in the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(u32);

impl Step {
    /// The base period that a moment falls into.
    pub fn of(at: Time, phase: u8) -> Self {
        let seconds = at.since(Time(0)).as_secs() + BASE - u64::from(phase) % BASE;
        Self(u32::try_from(seconds / BASE).unwrap_or(u32::MAX))
    }

    /// The moment it begins.
    pub fn begin(self, phase: u8) -> Time {
        let seconds = u64::from(self.0) * BASE;
        Time(0) + Duration::from_secs((seconds + u64::from(phase) % BASE).saturating_sub(BASE))
    }

    /// The period of a scale that it is in.
    pub fn epoch(self, scale: usize) -> u32 {
        self.0 / stride(scale)
    }

    /// Of each scale.
    fn epochs(self) -> [u32; SCALES] {
        STRIDES.map(|stride| self.0 / stride)
    }
}

/// A number for each cohort of each scale. One array for all scales: an event touches a cohort of each.
type Cohorts = [[u32; SLOTS]; SCALES];

/// Faded sums over all past periods of a scale.
#[derive(Clone, Copy, Debug, Default)]
struct Long {
    matured: f32,
    late: f32,
}

/// What a ring shows at the end of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Picture {
    /// Survivors of each mature cohort, the oldest first.
    pub survivors: [u32; COHORTS],
    /// Open of the two cohorts that are too young.
    pub young: u32,
    /// Connections of the mature cohorts that reached that age.
    pub matured: u32,
    /// Connections of that age, or older, that closed while these cohorts matured.
    pub left: u32,
    /// Of these, those that closed in the period that ends.
    pub left_last: u32,
    /// The same sums over the longer past, faded.
    pub matured_long: f32,
    /// As above.
    pub left_long: f32,
}

impl Picture {
    /// All survivors.
    pub fn all(&self) -> u32 {
        self.survivors.iter().fold(0, |sum, one| sum.saturating_add(*one))
    }

    /// The survivors by thirds of the window, the oldest first.
    pub fn thirds(&self) -> [u32; 3] {
        self.parts()
    }

    /// The same by halves.
    pub fn halves(&self) -> [u32; 2] {
        self.parts()
    }

    /// The survivors of the newer half of the window.
    pub fn newer(&self) -> u32 {
        let [_, newer] = self.halves();
        newer
    }

    fn parts<const N: usize>(&self) -> [u32; N] {
        let mut parts = [0_u32; N];
        for (part, cohorts) in parts.iter_mut().zip(self.survivors.chunks_exact(COHORTS / N)) {
            *part = cohorts.iter().fold(0, |sum, one| sum.saturating_add(*one));
        }
        parts
    }
}

/// The rings of one population.
#[derive(Clone, Debug)]
pub struct Rings {
    /// Of those that opened in the period: open still.
    alive: Cohorts,
    /// Of those: open when the cohort became mature.
    matured: Cohorts,
    /// Closed in the period, at a mature age.
    late: Cohorts,
    long: [Long; SCALES],
    now: Step,
    /// Of those that opened in the base period of now: open still. They are in no cohort until it ends, for then an
    /// event need not touch one of each scale.
    fresh: u32,
    since: Step,
    /// Members now, older ones included.
    pub total: u32,
}

impl Rings {
    /// Empty ones, that begin now.
    pub fn new(now: Step) -> Self {
        Self {
            alive: Default::default(),
            matured: Default::default(),
            late: Default::default(),
            long: Default::default(),
            now,
            fresh: 0,
            since: now,
            total: 0,
        }
    }

    /// The period they are in.
    pub fn now(&self) -> Step {
        self.now
    }

    /// Goes on to a base period. At the end of each period of each scale `look` gets the scale, the period that begins,
    /// and the picture; it says how many of the late closes are to be forgotten.
    pub fn advance(&mut self, to: Step, mut look: impl FnMut(usize, Step, &Picture) -> u32) {
        if self.total == 0 && to.0.saturating_sub(self.now.0) > LONG {
            // Nothing of what they remember is left.
            *self = Self {
                since: self.since,
                ..Self::new(to)
            };
        }
        if self.now < to {
            self.settle();
        }
        while self.now < to {
            let next = Step(self.now.0 + 1);
            for scale in 0..SCALES {
                if !next.0.is_multiple_of(stride(scale)) {
                    break;
                }
                self.turn(scale, next, &mut look);
            }
            self.now = next;
        }
    }

    fn turn(&mut self, scale: usize, next: Step, look: &mut impl FnMut(usize, Step, &Picture) -> u32) {
        let (Some(alive), Some(matured), Some(late), Some(long)) = (
            self.alive.get_mut(scale),
            self.matured.get_mut(scale),
            self.late.get_mut(scale),
            self.long.get_mut(scale),
        ) else {
            return;
        };
        let epoch = next.epoch(scale) as usize;
        let slot = |back: usize| (epoch + 2 * SLOTS - back) % SLOTS;
        let mature = slot(IMMATURE + 1);
        let reached = at(alive, mature);
        put(matured, mature, reached);
        let fade = 0.5_f32.powf(1.0 / HALF_LIFE);
        let left_last = at(late, slot(1));
        long.matured = long.matured.mul_add(fade, float(reached));
        long.late = long.late.mul_add(fade, float(left_last));
        let mut picture = Picture {
            left_last,
            matured_long: long.matured,
            left_long: long.late,
            ..Picture::default()
        };
        for (place, survivors) in picture.survivors.iter_mut().enumerate() {
            *survivors = at(alive, slot(SLOTS - place));
            picture.matured = picture.matured.saturating_add(at(matured, slot(SLOTS - place)));
            picture.left = picture.left.saturating_add(at(late, slot(COHORTS - place)));
        }
        for back in 1..=IMMATURE {
            picture.young = picture.young.saturating_add(at(alive, slot(back)));
        }
        let forgiven = float(look(scale, next, &picture));
        long.matured = (long.matured - forgiven).max(0.0);
        long.late = (long.late - forgiven).max(0.0);
        let oldest = slot(0);
        put(alive, oldest, 0);
        put(matured, oldest, 0);
        put(late, oldest, 0);
    }

    /// A member comes, born then. The rings must have been [advanced](Self::advance).
    pub fn birth(&mut self, born: Start, phase: u8) {
        self.total = self.total.saturating_add(1);
        let Start::Seen(born) = born else {
            return;
        };
        // What is born "later" comes from an event that was a little out of order.
        let born = Step::of(born, phase).min(self.now);
        if born == self.now {
            self.fresh = self.fresh.saturating_add(1);
            return;
        }
        let (born, now) = (born.epochs(), self.now.epochs());
        for (alive, (now, born)) in self.alive.iter_mut().zip(now.into_iter().zip(born)) {
            if let Some(slot) = cohort(now, born) {
                change(alive, slot, |alive| alive.saturating_add(1));
            }
        }
    }

    /// A member goes that was born then. The rings must have been [advanced](Self::advance).
    pub fn death(&mut self, born: Start, phase: u8) {
        self.remove(born, phase, true);
    }

    /// A member was none, or is one of another population from now on: it goes, and did not close.
    pub fn retract(&mut self, born: Start, phase: u8) {
        self.remove(born, phase, false);
    }

    /// The base period ends: what opened in it joins the cohorts of now.
    fn settle(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        for (alive, now) in self.alive.iter_mut().zip(self.now.epochs()) {
            change(alive, now as usize % SLOTS, |alive| alive.saturating_add(fresh));
        }
    }

    fn remove(&mut self, born: Start, phase: u8, closed: bool) {
        self.total = self.total.saturating_sub(1);
        // Of what is older, only the age since the rings began is known.
        let (from, immature) = match born {
            Start::Seen(born) => (Step::of(born, phase).min(self.now), IMMATURE + 1),
            Start::Older => (self.since, IMMATURE),
        };
        let is_in_a_cohort = matches!(born, Start::Seen(_));
        if is_in_a_cohort && from == self.now {
            // Nothing of that age is late.
            self.fresh = self.fresh.saturating_sub(1);
            return;
        }
        let now = self.now.epochs();
        let rings = self.alive.iter_mut().zip(&mut self.late);
        for ((alive, late), (now, from)) in rings.zip(now.into_iter().zip(from.epochs())) {
            if is_in_a_cohort && let Some(slot) = cohort(now, from) {
                change(alive, slot, |alive| alive.saturating_sub(1));
            }
            if closed && now.saturating_sub(from) as usize >= immature {
                change(late, now as usize % SLOTS, |late| late.saturating_add(1));
            }
        }
    }
}

/// The slot of a cohort, if the ring still has it, by its epoch and that of now.
fn cohort(now: u32, born: u32) -> Option<usize> {
    ((now - born) as usize)
        .lt(&SLOTS)
        .then_some(born as usize % SLOTS)
}

fn at(slots: &[u32; SLOTS], slot: usize) -> u32 {
    slots.get(slot).copied().unwrap_or(0)
}

fn put(slots: &mut [u32; SLOTS], slot: usize, value: u32) {
    change(slots, slot, |_| value);
}

fn change(slots: &mut [u32; SLOTS], slot: usize, change: impl FnOnce(u32) -> u32) {
    if let Some(cell) = slots.get_mut(slot) {
        *cell = change(*cell);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count, and a sum that fades")]
fn float(count: u32) -> f32 {
    count as f32
}

#[cfg(test)]
#[path = "rings_tests.rs"]
mod tests;
