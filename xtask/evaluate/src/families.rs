//! The families of workloads: what each models, and which were used to choose the detector's settings.

mod attach;
mod blind;
mod calendar;
mod fourth;
mod fresh;
mod healthy;
mod held_out;
mod hostile;
mod keep_alive;
mod large;
mod leaks;
mod pace;
mod parts;
mod phases;
mod pools;
mod second;
mod spread;
mod third;

use crate::{
    disturbance::{Disturbance, Disturbed},
    random::Random,
    scene::Scene,
    world::World,
};

/// Whether a family may be looked at while the detector is tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// It may.
    Tuning,
    /// It was blind once, and has been looked at since.
    Seen,
    /// It only tells how good the outcome is.
    HeldOut,
    /// Likewise, and who made it had not read the detector.
    Blind,
    /// Likewise, and its healthy worlds were made to mislead.
    Hostile,
}

impl Set {
    /// The word used in flags and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::Seen => "seen",
            Self::HeldOut => "held-out",
            Self::Blind => "blind",
            Self::Hostile => "hostile",
        }
    }
}

/// A family of workloads: the same thing with other numbers for each seed.
#[derive(Clone, Copy)]
pub struct Family {
    /// Its name: `L_` in it is a leak, `H_` is healthy; `X_`, `Y_`, `Z_` and `P_` are those of the prototype,
    /// `B_`, `C_`, `D_` and `E_` those of people who had not read the detector.
    pub name: &'static str,
    /// What it models.
    pub about: &'static str,
    /// What it is for.
    pub set: Set,
    /// Whether something leaks.
    pub leaks: bool,
    /// Hours that its worlds last.
    hours: f64,
    build: fn(&mut Random, &mut Scene),
}

impl Family {
    const fn leak(
        name: &'static str,
        hours: f64,
        build: fn(&mut Random, &mut Scene),
        about: &'static str,
    ) -> Self {
        Self {
            name,
            about,
            set: Set::Tuning,
            leaks: true,
            hours,
            build,
        }
    }

    const fn healthy(
        name: &'static str,
        hours: f64,
        build: fn(&mut Random, &mut Scene),
        about: &'static str,
    ) -> Self {
        Self {
            leaks: false,
            ..Self::leak(name, hours, build, about)
        }
    }

    const fn seen(self) -> Self {
        Self {
            set: Set::Seen,
            ..self
        }
    }

    const fn held_out(self) -> Self {
        Self {
            set: Set::HeldOut,
            ..self
        }
    }

    #[expect(dead_code, reason = "no set is blind now; the next one will be")]
    const fn blind(self) -> Self {
        Self {
            set: Set::Blind,
            ..self
        }
    }

    const fn hostile(self) -> Self {
        Self {
            set: Set::Hostile,
            ..self
        }
    }

    /// The world of a seed.
    pub fn world(&self, seed: u64) -> World {
        self.unlimited(seed).until_exhausted()
    }

    /// The same, with something that befalls it.
    pub fn disturbed(&self, seed: u64, disturbance: Disturbance) -> Disturbed {
        disturbance.befall(self.unlimited(seed))
    }

    /// The world of a seed, as if there were always descriptors.
    fn unlimited(&self, seed: u64) -> World {
        let mut random = Random::new(self.name, seed);
        let mut scene = Scene::new(Random::new("host", seed), self.hours * 3600.0);
        (self.build)(&mut random, &mut scene);
        scene.finish(self.name, seed, self.leaks)
    }
}

/// All families, those for tuning first.
pub fn all() -> Vec<Family> {
    let mut all: Vec<Family> = [
        leaks::FAMILIES,
        healthy::FAMILIES,
        held_out::FAMILIES,
        second::FAMILIES,
        large::FAMILIES,
        hostile::FAMILIES,
        pace::FAMILIES,
        spread::FAMILIES,
        phases::FAMILIES,
        attach::FAMILIES,
        pools::FAMILIES,
    ]
    .concat();
    all.extend(blind::families());
    all.extend(fresh::families());
    all.extend(third::families());
    all.extend(fourth::families());
    all.sort_by_key(|family| family.set);
    all
}

#[cfg(test)]
mod tests;
