//! Runs families through the detectors, on all cores.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    disturbance::{Disturbance, Faults},
    drive::{Options, drive},
    families::Family,
    score::{Outcome, judge},
};

/// What is to be run.
pub struct Plan {
    /// These families,
    pub families: Vec<Family>,
    /// with seeds from this one
    pub first_seed: u64,
    /// so many,
    pub seeds: u64,
    /// and the first so many of them once more for each disturbance,
    pub disturbed: u64,
    /// driven like this,
    pub options: Options,
    /// on so many threads.
    pub threads: NonZeroUsize,
}

/// What came of one world, for each detector.
pub struct Result {
    /// The family.
    pub family: Family,
    /// What befell it.
    pub disturbance: Option<Disturbance>,
    /// By detector, always in the same order.
    pub outcomes: Vec<(&'static str, Outcome)>,
}

impl Plan {
    /// What is run, for the head of a report.
    pub fn describe(&self) -> String {
        let last = self.first_seed.saturating_add(self.seeds).saturating_sub(1);
        let (families, first, disturbed) = (self.families.len(), self.first_seed, self.disturbed);
        let disturbed = match disturbed.min(self.seeds) {
            0 => String::new(),
            1 => "; the first of them disturbed, too".to_owned(),
            some => format!("; the first {some} of them disturbed, too"),
        };
        format!("{families} families, seeds {first} to {last}{disturbed}.")
    }

    /// Runs it. The results come in the order of families and seeds, whatever ran first.
    pub fn run(&self) -> Vec<Result> {
        let worlds = self.worlds();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::with_capacity(worlds.len()));
        thread::scope(|scope| {
            for _ in 0..self.threads.get() {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(which) = worlds.get(number) else {
                            return;
                        };
                        let result = self.run_one(*which);
                        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                        results.push((number, result));
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(number, _)| *number);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn worlds(&self) -> Vec<Which> {
        let each = |seeds: u64, disturbance: Option<Disturbance>| {
            let families = self.families.iter();
            families.flat_map(move |family| {
                (0..seeds).map(move |seed| Which {
                    family: *family,
                    seed: self.first_seed + seed,
                    disturbance,
                })
            })
        };
        let disturbed = Disturbance::ALL
            .iter()
            .flat_map(|disturbance| each(self.disturbed.min(self.seeds), Some(*disturbance)));
        each(self.seeds, None).chain(disturbed).collect()
    }

    fn run_one(&self, which: Which) -> Result {
        let Which {
            family,
            seed,
            disturbance,
        } = which;
        let (world, faults, baselines) = match disturbance {
            None => (family.world(seed), Faults::default(), self.options.baselines),
            Some(disturbance) => {
                let disturbed = family.disturbed(seed, disturbance);
                (disturbed.world, disturbed.faults, false)
            }
        };
        let options = Options {
            baselines,
            ..self.options
        };
        let outcomes = drive(&world, &options, &faults)
            .into_iter()
            .map(|testimony| (testimony.detector, judge(&world, &testimony.accusations)))
            .collect();
        Result {
            family,
            disturbance,
            outcomes,
        }
    }
}

/// Which world.
#[derive(Clone, Copy)]
struct Which {
    family: Family,
    seed: u64,
    disturbance: Option<Disturbance>,
}
