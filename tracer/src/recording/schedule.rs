//! Puts lines in the order of their times, and ticks between them.
//!
//! Live, the rules look about once a second. A replay lets them look at every whole second of the recording's clock,
//! when all that happened until then is known.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use super::{line::Line, reader::REORDERING};
use crate::model::time::Time;

/// Time between two ticks.
pub const TICK: Duration = Duration::from_secs(1);
/// Lines that wait for earlier ones: a recording that has more in a second is taken to be in order.
const WAITING: usize = 1 << 16;

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// A line takes effect.
    Line(Line),
    /// The rules look.
    Tick(Time),
}

/// The order of lines and ticks.
pub struct Schedule {
    /// Lines that came in order.
    straight: VecDeque<(Order, Line)>,
    /// Lines that came after later ones.
    late: BinaryHeap<Reverse<Late>>,
    number: u64,
    newest: Time,
    /// The next tick.
    next: Time,
}

/// By time; those of one time as they came.
type Order = (Time, u64);

struct Late(Order, Line);

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Schedule {
    /// Of a recording that begins then.
    pub fn new(begin: Time) -> Self {
        Self {
            straight: VecDeque::new(),
            late: BinaryHeap::new(),
            number: 0,
            newest: begin,
            next: after(begin),
        }
    }

    /// Takes in the next line of the file.
    pub fn push(&mut self, line: Line) {
        let ts = line.ts();
        let order = (ts, self.number);
        self.number += 1;
        self.newest = self.newest.max(ts);
        match self.straight.back() {
            Some((last, _)) if *last > order => self.late.push(Reverse(Late(order, line))),
            _ => self.straight.push_back((order, line)),
        }
    }

    /// Notes the time of a line that need not wait for others.
    pub fn note(&mut self, ts: Time) {
        self.newest = self.newest.max(ts);
    }

    /// What comes next, if it is known yet.
    pub fn pop(&mut self) -> Option<Step> {
        let is_full = self.straight.len() + self.late.len() > WAITING;
        let ts = self.first()?;
        if !is_full && self.newest.since(ts) < REORDERING {
            return None;
        }
        self.step(ts)
    }

    /// What comes next, now that there are no more lines.
    pub fn drain(&mut self) -> Option<Step> {
        let ts = self.first()?;
        self.step(ts)
    }

    /// The time of the newest line.
    pub fn newest(&self) -> Time {
        self.newest
    }

    /// Everything up to this moment has been looked at.
    pub fn skip_past(&mut self, moment: Time) {
        self.next = self.next.max(after(moment));
    }

    /// The next tick.
    pub fn next_tick(&self) -> Time {
        self.next
    }

    fn first(&self) -> Option<Time> {
        let straight = self.straight.front().map(|(order, _)| *order);
        let late = self.late.peek().map(|Reverse(Late(order, _))| *order);
        let first = [straight, late].into_iter().flatten().min()?;
        Some(first.0)
    }

    fn step(&mut self, ts: Time) -> Option<Step> {
        // What happens at that very moment comes first.
        if self.next < ts {
            let tick = self.next;
            self.next = after(tick);
            return Some(Step::Tick(tick));
        }
        let is_late = match (self.straight.front(), self.late.peek()) {
            (Some((straight, _)), Some(Reverse(Late(late, _)))) => late < straight,
            (None, Some(_)) => true,
            _ => false,
        };
        let line = if is_late {
            self.late.pop().map(|Reverse(Late(_, line))| line)
        } else {
            self.straight.pop_front().map(|(_, line)| line)
        };
        line.map(Step::Line)
    }
}

/// The first whole second after a moment.
fn after(moment: Time) -> Time {
    ceiling(moment + Duration::from_nanos(1))
}

/// The first whole second that is not before a moment.
fn ceiling(moment: Time) -> Time {
    let second = 1_000_000_000;
    Time(moment.0.div_ceil(second).saturating_mul(second))
}
