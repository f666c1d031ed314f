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
    /// driven like this,
    pub options: Options,
    /// on so many threads.
    pub threads: NonZeroUsize,
}

/// What came of one world, for each detector.
pub struct Result {
    /// The family.
    pub family: Family,
    /// By detector, always in the same order.
    pub outcomes: Vec<(&'static str, Outcome)>,
}

impl Plan {
    /// Runs it. The results come in the order of families and seeds, whatever ran first.
    pub fn run(&self) -> Vec<Result> {
        let worlds: Vec<(Family, u64)> = self
            .families
            .iter()
            .flat_map(|family| (0..self.seeds).map(|seed| (*family, self.first_seed + seed)))
            .collect();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::with_capacity(worlds.len()));
        thread::scope(|scope| {
            for _ in 0..self.threads.get() {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some((family, seed)) = worlds.get(number) else {
                            return;
                        };
                        let result = self.run_one(*family, *seed);
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

    fn run_one(&self, family: Family, seed: u64) -> Result {
        let world = family.world(seed);
        let outcomes = drive(&world, &self.options)
            .into_iter()
            .map(|testimony| (testimony.detector, judge(&world, &testimony.accusations)))
            .collect();
        Result { family, outcomes }
    }
}
