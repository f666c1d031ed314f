//! What befalls a world, or the tracer while it watches. None of it is a reason to accuse anybody.

use crate::{
    random::Random,
    world::{Connection, Entrance, HOUR, MINUTE, Process, Target, World},
};

/// Something that befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// A fifth of the events never arrives.
    Loss,
    /// The tracer ends half way, and is started again.
    TracerRestart,
    /// The machine sleeps for hours.
    Sleep,
    /// Every process ends, and another comes in its place and connects again.
    ProcessRestart,
    /// Likewise, at once, with the same process ids, and they are other programs.
    PidReuse,
}

/// A world that something befalls.
pub struct Disturbed {
    /// The world.
    pub world: World,
    /// What befalls the tracer.
    pub faults: Faults,
}

/// What befalls the tracer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// This share of the events is lost.
    pub loss: f64,
    /// It ends at one moment and is started again at another.
    pub away: Option<(f64, f64)>,
}

/// The share that `--simulate-loss 0.2` loses.
const LOSS: f64 = 0.2;
/// How long the machine sleeps: a night.
const NIGHT: f64 = 8.0 * HOUR;

impl Disturbance {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Loss,
        Self::TracerRestart,
        Self::Sleep,
        Self::ProcessRestart,
        Self::PidReuse,
    ];

    /// What reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "20 % of events lost",
            Self::TracerRestart => "tracer restarted",
            Self::Sleep => "asleep for 8 h",
            Self::ProcessRestart => "processes restarted",
            Self::PidReuse => "process ids reused",
        }
    }

    /// Lets it befall a world that has no limits yet, about half way.
    pub fn befall(self, world: World) -> Disturbed {
        let mut random = Random::new(&format!("{} {}", world.family, self.name()), world.seed);
        let end = world.clone().until_exhausted().horizon;
        let moment = end * random.uniform(0.3, 0.7);
        let mut faults = Faults::default();
        let world = match self {
            Self::Loss => {
                faults.loss = LOSS;
                world
            }
            Self::TracerRestart => {
                faults.away = Some((
                    moment,
                    moment + random.log_uniform(1.0, 5.0 * MINUTE).min(0.1 * end),
                ));
                world
            }
            Self::Sleep => sleep(world, moment),
            Self::ProcessRestart => {
                let away = random.log_uniform(0.5, MINUTE);
                restart(world, moment, away, |process| Process {
                    pid: process.pid + 40_000,
                    ..process
                })
                .reconnect(&mut random, 30.0)
            }
            // A busy machine goes through all its process ids within the hour, and one can be the next again.
            Self::PidReuse => restart(world, moment, 0.01, |process| Process {
                comm: "other",
                ..process
            })
            .reconnect(&mut random, 1.0),
        };
        Disturbed {
            world: world.until_exhausted(),
            faults,
        }
    }
}

/// From a moment on nothing happens for a night, and then all goes on.
fn sleep(mut world: World, moment: f64) -> World {
    let later = |at: f64| if at > moment { at + NIGHT } else { at };
    world.horizon = later(world.horizon);
    if let Some(onset) = &mut world.onset {
        if let Some(Target { within, wished }) = &mut world.target {
            for span in [within, wished] {
                *span = later(*onset + *span) - later(*onset);
            }
        }
        *onset = later(*onset);
    }
    for process in &mut world.processes {
        process.started = later(process.started);
        process.ends = later(process.ends);
    }
    for row in &mut world.connections {
        row.used_for = later(row.opened + row.used_for) - later(row.opened);
        row.opened = later(row.opened);
        row.closed = later(row.closed);
        if let Some((at, _)) = &mut row.lost {
            *at = later(*at);
        }
    }
    world.sleeps.push((moment, moment + NIGHT));
    world
}

/// A world whose processes were replaced.
struct Restarted {
    world: World,
    /// What was open then, with the new processes: it has to be connected again.
    cut: Vec<Connection>,
}

/// At a moment all processes end, and others go on a little later.
fn restart(mut world: World, moment: f64, away: f64, heir: impl Fn(Process) -> Process) -> Restarted {
    let started = moment + away;
    let mut heirs: Vec<Option<usize>> = vec![None; world.processes.len()];
    for (number, place) in heirs.iter_mut().enumerate() {
        let next = world.processes.len();
        let Some(process) = world.processes.get_mut(number) else {
            continue;
        };
        if process.lives(moment) {
            let heir = Process {
                started,
                ends: process.ends.max(started),
                ..heir(*process)
            };
            process.ends = moment;
            *place = Some(next);
            world.processes.push(heir);
        }
    }
    let mut cut = Vec::new();
    for row in &mut world.connections {
        let Some(heir) = heirs.get(row.process).copied().flatten() else {
            continue;
        };
        if row.opened > moment {
            row.process = heir;
            row.delay(started);
        } else if row.closed > moment {
            cut.push(Connection {
                process: heir,
                ..*row
            });
            row.closed = moment;
            row.lost = row.lost.filter(|(lost, _)| *lost < moment);
        }
    }
    Restarted { world, cut }
}

impl Restarted {
    /// What was in use is connected again within some seconds. What leaked is not missed by anybody.
    fn reconnect(self, random: &mut Random, within: f64) -> World {
        let Self { mut world, cut } = self;
        let is_missed = |row: &Connection| !row.leaks && row.lost.is_none() && row.entrance == Entrance::Open;
        for mut row in cut.into_iter().filter(is_missed) {
            let Some(process) = world.processes.get(row.process) else {
                continue;
            };
            row.delay(process.started + random.uniform(0.0, within));
            if row.opened < row.closed {
                world.connections.push(row);
            }
        }
        world.connections.sort_by(|a, b| a.opened.total_cmp(&b.opened));
        world
    }
}

impl Connection {
    /// It opens at this moment at the earliest.
    fn delay(&mut self, until: f64) {
        self.opened = self.opened.max(until);
        self.closed = self.closed.max(self.opened);
        self.lost = self
            .lost
            .map(|(at, how)| (at.max(self.opened), how))
            .filter(|(at, _)| *at < self.closed);
    }
}

#[cfg(test)]
mod tests;
