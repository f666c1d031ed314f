//! What outlives a process: the same program, started again, that does the same to the same peer.

use std::{collections::BTreeMap, time::Duration};

use super::watch::Key;
use crate::model::{
    connection::{Direction, Peer},
    ledger::Ledger,
    name::Comm,
    time::Time,
};

/// How long a program is remembered after its end.
const REMEMBERED: Duration = Duration::from_hours(24);
/// Programs that are remembered.
const LIMIT: usize = 4096;

/// A program and its peer, whichever process it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    comm: Comm,
    direction: Direction,
    peer: Option<Peer>,
    service_port: u16,
}

impl Program {
    /// The program of a watch.
    pub fn of(key: &Key, ledger: &Ledger) -> Self {
        let comm = key
            .process()
            .map_or_else(Comm::default, |process| ledger.name(process));
        let (direction, peer, service_port) = match *key {
            Key::Group(group) => (group.direction, Some(group.peer), group.service_port),
            Key::Process(_, direction) => (direction, None, 0),
            Key::Peer(direction, peer) => (direction, Some(peer), 0),
        };
        Self {
            comm,
            direction,
            peer,
            service_port,
        }
    }
}

/// What is remembered of a program.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Processes that ended while what they held grew.
    pub lives: u32,
    /// The finding about it.
    pub number: Option<u64>,
    /// The most connections that one of them had, where nothing was told of it.
    pub crest: u32,
    /// Since when.
    pub at: Time,
}

/// The programs that are remembered.
#[derive(Default)]
pub struct Lineage(BTreeMap<Program, Past>);

impl Lineage {
    /// What is remembered of a program, if it is not too old.
    pub fn past(&self, program: &Program, now: Time) -> Option<Past> {
        self.0
            .get(program)
            .copied()
            .filter(|past| now.since(past.at) < REMEMBERED)
    }

    /// A process ended that had so many at the most.
    pub fn peaked(&mut self, program: Program, crest: u32, now: Time) {
        let past = self.past(&program, now);
        if let Some(entry) = self.entry(program, now) {
            entry.crest = entry.crest.max(crest);
            // That it ended is no news of its growth.
            entry.at = past.map_or(now, |past| past.at);
        }
    }

    /// A process ended while what it held grew.
    pub fn ended(&mut self, program: Program, now: Time) {
        if let Some(past) = self.entry(program, now) {
            past.lives = past.lives.saturating_add(1);
        }
    }

    /// A finding about it is over.
    pub fn resolved(&mut self, program: Program, number: u64, now: Time) {
        if let Some(past) = self.entry(program, now) {
            past.number = Some(number);
            past.crest = 0;
        }
    }

    fn entry(&mut self, program: Program, now: Time) -> Option<&mut Past> {
        let fresh = Past {
            lives: 0,
            number: None,
            crest: 0,
            at: now,
        };
        if self.0.len() >= LIMIT && !self.0.contains_key(&program) {
            self.0.retain(|_, past| now.since(past.at) < REMEMBERED);
            if self.0.len() >= LIMIT {
                return None;
            }
        }
        let past = self.0.entry(program).or_insert(fresh);
        if now.since(past.at) >= REMEMBERED {
            *past = fresh;
        }
        past.at = now;
        Some(past)
    }
}
