//! What is remembered of one group of connections, or of one roll-up.

use super::{
    cadence::Beat,
    dormant::Dormant,
    marks::Marks,
    renewal::{self, Levels},
    rings::{Picture, Rings, Step},
    surge::Surge,
    thresholds::Thresholds,
};
use crate::model::{
    chain::Links,
    connection::{Direction, GroupKey, Peer, ProcessId},
    fact::{Life, Start},
    slab::NONE,
    time::Time,
};

/// Which connections are watched together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A group.
    Group(GroupKey),
    /// All of a process, in one direction: for what is spread thin over peers.
    Process(ProcessId, Direction),
    /// All with a peer, in one direction: for what is spread over processes or ports.
    Peer(Direction, Peer),
}

impl Key {
    /// A group and the roll-ups that it is part of.
    pub fn of(group: GroupKey) -> [Self; 3] {
        [
            Self::Group(group),
            Self::Process(group.process, group.direction),
            Self::Peer(group.direction, group.peer),
        ]
    }

    /// Who starts the connections.
    pub const fn direction(&self) -> Direction {
        match self {
            Self::Group(group) => group.direction,
            Self::Process(_, direction) | Self::Peer(direction, _) => *direction,
        }
    }

    /// The process, if it is one.
    pub const fn process(&self) -> Option<ProcessId> {
        match self {
            Self::Group(group) => Some(group.process),
            Self::Process(process, _) => Some(*process),
            Self::Peer(..) => None,
        }
    }

    /// Whether a group is part of it.
    pub fn covers(&self, group: &GroupKey) -> bool {
        match self {
            Self::Group(own) => own == group,
            Self::Process(process, direction) => (*process, *direction) == (group.process, group.direction),
            Self::Peer(direction, peer) => (*direction, *peer) == (group.direction, group.peer),
        }
    }
}

/// Which connections of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// All.
    All,
    /// Those whose peer is gone, or never answered.
    Gone,
}

/// Which connections make a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All.
    All,
    /// Those that have been silent for longer than common idle timeouts.
    Dormant,
}

/// How much of a window has the shape of growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Each third.
    Whole,
    /// Each half, but not each third: it counts if nobody has used these connections for long.
    Halves,
    /// Only the newer half: it counts if there is no time for the rest.
    NewerHalf,
}

/// A picture that has the shape of a leak, and may be large enough.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Of which connections.
    pub population: Population,
    /// At which scale.
    pub scale: usize,
    /// At the end of the period before this one.
    pub at: Step,
    /// The picture.
    pub picture: Picture,
    /// What it takes, before it is known whether they are used.
    pub need: f64,
    /// It is the last tooth of a saw.
    pub teeth: Option<u32>,
    /// It is the last of so many processes that did the same.
    pub lives: Option<u32>,
    /// It is of a level, and not of generations: of which, and by how much that rose.
    pub level: Option<(Level, renewal::Growth)>,
    /// How much of its window has that shape.
    pub extent: Extent,
    /// It may become the tooth of a saw: whether it is used can be asked only while it is there.
    pub is_tooth: bool,
    /// Whether it is a candidate at all: the pictures that an alert rests on are shown in any case.
    pub is_growth: bool,
}

impl Candidate {
    pub const fn shown(population: Population, scale: usize, at: Step, picture: &Picture) -> Self {
        Self {
            population,
            scale,
            at,
            picture: *picture,
            need: f64::INFINITY,
            teeth: None,
            lives: None,
            level: None,
            extent: Extent::Whole,
            is_tooth: false,
            is_growth: false,
        }
    }
}

/// What is remembered.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Of what.
    pub key: Key,
    /// The watches of the roll-ups that a group is part of; [`NONE`](crate::model::slab::NONE) where it is the only part.
    pub rollups: [u32; 2],
    /// Shift of its periods, in seconds.
    pub phase: u8,
    /// Its place among those of this phase.
    pub links: Links,
    /// All connections.
    pub all: Rings,
    /// Those whose peer is gone.
    pub gone: Option<Box<Rings>>,
    /// The beat of openings.
    pub beat: Beat,
    /// Openings.
    pub opened: u64,
    /// Closes.
    pub closed: u64,
    /// Of these, of connections whose peer had gone.
    pub closed_gone: u64,
    /// Connections that were there when the tracer came.
    pub older: u32,
    /// Whether these were judged.
    pub older_judged: bool,
    /// Known since.
    pub since: Time,
    /// Something last happened.
    pub touched: Time,
    /// Whether it is in the list of those with news.
    pub has_news: bool,
    /// The descriptor limit and what is left of it, as last seen.
    pub limit: Option<u64>,
    /// As above.
    pub left: Option<u64>,
    /// Descriptors that it has, or could have: what is left, and its own.
    pub room: Option<u64>,
    /// The way it took up to its limit.
    pub surge: Option<Box<Surge>>,
    /// The most there were since at least half of them closed,
    high: u32,
    /// and before: what comes back up to there is no growth.
    pub crest: u32,
    /// The least there were in this period of [`renewal::SCALE`],
    low: u32,
    /// and in those before, where there are some.
    levels: Option<Box<Levels>>,
    /// What nobody uses any more, where there is some.
    pub dormant: Option<Box<Dormant>>,
    /// When that was last looked for.
    pub dormant_looked: Step,
    /// Processes that ended before while the same of them grew; `None` if nobody has asked yet.
    pub inherited: Option<u32>,
    /// When what grew was last seen in use.
    pub worked: Option<Time>,
    /// The pictures that are shown in any case.
    pub followed: Option<(Population, usize)>,
    /// Marks of the last period of each scale.
    marks: Marks,
}

impl Watch {
    /// A new one.
    pub fn new(key: Key, phase: u8, at: Time) -> Self {
        Self {
            key,
            rollups: [NONE; 2],
            phase,
            links: Links::default(),
            all: Rings::new(Step::of(at, phase)),
            gone: None,
            beat: Beat::default(),
            opened: 0,
            closed: 0,
            closed_gone: 0,
            older: 0,
            older_judged: false,
            since: at,
            touched: at,
            has_news: false,
            limit: None,
            left: None,
            room: None,
            surge: None,
            high: 0,
            crest: 0,
            low: 0,
            levels: None,
            dormant: None,
            dormant_looked: Step::of(at, phase),
            inherited: None,
            worked: None,
            followed: None,
            marks: Marks::default(),
        }
    }

    /// That of a roll-up of which this group was the only part: it has seen the same.
    pub fn rolled_up(&self, key: Key) -> Self {
        Self {
            key,
            rollups: [NONE; 2],
            has_news: false,
            // These are of a process.
            limit: self.limit.filter(|_| key.process().is_some()),
            left: self.left.filter(|_| key.process().is_some()),
            surge: self.surge.clone().filter(|_| key.process().is_some()),
            inherited: None,
            followed: None,
            ..self.clone()
        }
    }

    /// Goes on to a moment; what looks like a leak on the way goes to `candidates`.
    pub fn advance(&mut self, to: Time, thresholds: &Thresholds, candidates: &mut Vec<Candidate>) {
        let step = Step::of(to, self.phase);
        if step <= self.all.now() {
            return;
        }
        let periods = step.epoch(renewal::SCALE) - self.all.now().epoch(renewal::SCALE);
        let Self {
            key,
            all,
            gone,
            beat,
            left,
            inherited,
            followed,
            marks,
            ..
        } = self;
        let is_followed = |population, scale| *followed == Some((population, scale));
        let direction = key.direction();
        let factor = if beat.cadence().is_some() {
            thresholds.beat_factor
        } else {
            1.0
        };
        all.advance(step, |scale, at, picture| {
            let need = thresholds.need(scale, direction, *left) * factor;
            let shown = Candidate::shown(Population::All, scale, at, picture);
            let from = candidates.len();
            let forgiven = marks.look(
                thresholds,
                need,
                inherited.unwrap_or(0),
                Candidate { need, ..shown },
                candidates,
            );
            if is_followed(Population::All, scale) && !is_shown(candidates, from) {
                candidates.push(shown);
            }
            forgiven
        });
        if let Some(gone) = gone {
            gone.advance(step, |scale, at, picture| {
                let need = thresholds.need_gone(scale);
                let shown = Candidate::shown(Population::Gone, scale, at, picture);
                let from = candidates.len();
                marks.look_gone(thresholds, Candidate { need, ..shown }, candidates);
                if is_followed(Population::Gone, scale) && !is_shown(candidates, from) {
                    candidates.push(shown);
                }
                0
            });
        }
        if periods > 0 {
            self.end_periods(periods, thresholds, candidates);
        }
    }

    /// So many periods of [`renewal::SCALE`] end, in which nothing happened but in the first.
    fn end_periods(&mut self, periods: u32, thresholds: &Thresholds, candidates: &mut Vec<Candidate>) {
        /// Most groups never have so many.
        const FEW: u32 = 8;
        let low = std::mem::replace(&mut self.low, self.all.total);
        if self.all.total < FEW {
            self.levels = None;
            return;
        }
        let counts = (self.opened, self.closed);
        let levels = self.levels.get_or_insert_default();
        levels.turn(low, counts);
        for _ in 1..periods.min(renewal::PERIODS) {
            levels.turn(self.low, counts);
        }
        if let Some(growth) = levels.growth() {
            let scale = renewal::SCALE;
            candidates.push(Candidate {
                need: thresholds.need(scale, self.key.direction(), self.left),
                level: Some((Level::All, growth)),
                is_growth: true,
                ..Candidate::shown(Population::All, scale, self.all.now(), &Picture::default())
            });
        }
    }

    /// A connection comes. The watch must have been [advanced](Self::advance).
    pub fn enter(&mut self, life: Life, at: Time) {
        self.all.birth(life.opened, self.phase);
        self.high = self.high.max(self.all.total);
        if let Some(since) = life.peer_gone {
            self.lose_peer(since);
        }
        if let (Some(room), Some(surge)) = (self.room, &mut self.surge) {
            surge.rise(at, self.all.total, room, (self.opened, self.closed));
        }
    }

    /// The peer of a connection is gone.
    pub fn lose_peer(&mut self, since: Start) {
        let now = self.all.now();
        let gone = self.gone.get_or_insert_with(|| Box::new(Rings::new(now)));
        gone.birth(since, self.phase);
    }

    /// A connection closes.
    pub fn close(&mut self, life: Life) {
        self.closed = self.closed.saturating_add(1);
        self.all.death(life.opened, self.phase);
        self.close_down();
        if let Some(since) = life.peer_gone {
            self.closed_gone = self.closed_gone.saturating_add(1);
            if let Some(gone) = &mut self.gone {
                gone.death(since, self.phase);
            }
        }
    }

    /// So many connections opened, from then on, and closed; so many after their peers had gone. As many in turn: each
    /// of them was one more for a moment.
    pub fn pass(&mut self, count: u32, gone: u32, first: Time) {
        self.opened = self.opened.saturating_add(count.into());
        self.closed = self.closed.saturating_add(count.into());
        self.closed_gone = self.closed_gone.saturating_add(gone.into());
        self.beat.opened(count, first);
        self.high = self.high.max(self.all.total.saturating_add(1));
        self.close_down();
    }

    fn close_down(&mut self) {
        self.low = self.low.min(self.all.total);
        if self.all.total <= self.high / 2 {
            self.crest = self.crest.max(self.high);
            self.high = self.all.total;
        }
    }

    /// The socket of an attempt that had failed is closed.
    pub fn close_failed(&mut self, failed: Time) {
        self.closed_gone = self.closed_gone.saturating_add(1);
        if let Some(gone) = &mut self.gone {
            gone.death(Start::Seen(failed), self.phase);
        }
    }

    /// A connection is not of this group after all.
    pub fn leave(&mut self, life: Life) {
        self.all.retract(life.opened, self.phase);
        self.low = self.low.min(self.all.total);
        if let (Some(since), Some(gone)) = (life.peer_gone, &mut self.gone) {
            gone.retract(since, self.phase);
        }
    }

    /// Whether it grew like a leak at some scale, as far as the last pictures tell; forgets that.
    pub fn take_growth(&mut self) -> bool {
        self.marks.take_life()
    }

    /// What was told of it is over: what comes now is news.
    pub const fn forget_crest(&mut self) {
        self.crest = 0;
        self.high = self.all.total;
    }

    /// How many there are of a population.
    pub fn total(&self, population: Population) -> u32 {
        match population {
            Population::All => self.all.total,
            Population::Gone => self.gone.as_ref().map_or(0, |gone| gone.total),
        }
    }
}

/// Whether any candidate from there on shows its picture.
fn is_shown(candidates: &[Candidate], from: usize) -> bool {
    candidates.iter().skip(from).any(|candidate| !candidate.is_tooth)
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
