//! Was the detector right? Accusations against the truth.

use std::collections::HashSet;

use tracer::model::connection::{PeerKey, ProcessId};

use crate::{
    accusation::{Accusation, Accused},
    world::{Connection, HOUR, NEVER, Target, World},
};

/// False alarms of a world that are closer than this are one: a person would be called once.
const MERGED_WITHIN: f64 = HOUR;

/// What came of one world.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which.
    pub seed: u64,
    /// Whether something leaks in it.
    pub leaks: bool,
    /// Hours in which nothing leaked.
    pub healthy_hours: f64,
    /// Times that somebody innocent was accused, or the guilty before they did anything.
    pub false_alarms: usize,
    /// The first of them.
    pub first_false: Option<f64>,
    /// The first of them that was told as confirmed.
    pub confirmed_false: Option<f64>,
    /// How the leak was found, if it was in time.
    pub hit: Option<Hit>,
    /// Whether it was confirmed in time.
    pub confirmed: bool,
    /// How soon it must be found.
    pub target: Option<Target>,
}

/// A leak is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// So long after its onset.
    pub after: f64,
    /// Connections that had leaked and were open.
    pub leaked: usize,
    /// Share of the descriptors in use.
    pub used: f64,
    /// Whether half of the descriptors were left.
    pub before_half: bool,
}

impl Outcome {
    /// Whether it was found within the time that its family asks for.
    pub fn on_target(&self) -> Option<bool> {
        self.target
            .map(|target| self.hit.is_some_and(|hit| hit.after <= target.within))
    }
}

/// Judges what was said of a world. A leak is found by the first accusation that begins when it does or later, and
/// before its descriptors are used up; what is told before is a false alarm even if it lasts.
pub fn judge(world: &World, accusations: &[Accusation]) -> Outcome {
    let guilty = Guilty::of(world);
    let onset = world.onset.unwrap_or(NEVER);
    let (right, wrong): (Vec<&Accusation>, Vec<&Accusation>) = accusations
        .iter()
        .filter(|accusation| accusation.from <= world.horizon)
        .partition(|accusation| accusation.from >= onset && guilty.includes(accusation));
    let first = right
        .iter()
        .map(|accusation| accusation.from)
        .min_by(f64::total_cmp);
    let half_due = world.target.map_or(world.half_used, |target| {
        world.half_used.max(onset + target.within)
    });
    Outcome {
        seed: world.seed,
        leaks: world.leaks(),
        healthy_hours: world.awake(onset.min(world.horizon)) / HOUR,
        false_alarms: episodes(&wrong),
        first_false: wrong
            .iter()
            .map(|accusation| accusation.from)
            .min_by(f64::total_cmp),
        confirmed_false: wrong
            .iter()
            .map(|accusation| accusation.confirmed)
            .filter(|at| *at <= world.horizon)
            .min_by(f64::total_cmp),
        hit: first.map(|at| Hit {
            after: at - onset,
            leaked: world.leaked_at(at),
            used: world.used_at(at),
            before_half: at <= half_due,
        }),
        confirmed: right
            .iter()
            .any(|accusation| accusation.confirmed <= world.horizon),
        target: world.target,
    }
}

/// Who leaks.
struct Guilty {
    processes: HashSet<ProcessId>,
    peers: HashSet<PeerKey>,
}

impl Guilty {
    fn of(world: &World) -> Self {
        let leaked = world.connections.iter().filter(|connection| connection.leaks);
        Self {
            processes: leaked
                .clone()
                .map(|connection| world.process_id(connection.process))
                .collect(),
            peers: leaked.map(Connection::peer_key).collect(),
        }
    }

    /// Whether the accused did it, with those that are named.
    fn includes(&self, accusation: &Accusation) -> bool {
        match accusation.who {
            Accused::Group(process, peer) => self.processes.contains(&process) && self.peers.contains(&peer),
            Accused::Process(process) => self.processes.contains(&process),
            Accused::Peer(direction, peer) => self
                .peers
                .iter()
                .any(|leaked| leaked.direction == direction && leaked.peer == peer),
        }
    }
}

/// How many times a person would be called.
fn episodes(accusations: &[&Accusation]) -> usize {
    let mut spans: Vec<(f64, f64)> = accusations
        .iter()
        .map(|accusation| (accusation.from, accusation.to))
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut count = 0;
    let mut over = f64::NEG_INFINITY;
    for (from, to) in spans {
        if from - over > MERGED_WITHIN {
            count += 1;
        }
        over = over.max(to);
    }
    count
}

#[cfg(test)]
mod tests;
