//! Connections that open and close between two looks at the ring buffer are most of those of a busy machine. They are
//! counted, group by group, and do not enter the books one by one, which costs many times as much.
//!
//! A connection that opens is parked. Is it released before the look ends, it joins the others of its group; what is
//! still parked then enters the books as it would have without the detour. Nothing waits longer.

use std::{net::IpAddr, time::Duration};

use crate::model::{
    connection::{ConnectionId, Direction},
    event::{Event, EventKind, Opening, StateChange},
    fact::Fact,
    ledger::Ledger,
    short::Short,
    tally::Lifetimes,
    time::Time,
};

/// Connections that are parked at once, at most: each has the place that its number gives it.
const PARKED: usize = 512;
/// Openings of one look after which what is parked enters the books: the memory of a look is bounded.
const OPENINGS: usize = 4 * PARKED;
/// Changes of state that are parked with a connection; with more it enters the books.
const CHANGES: usize = 3;
/// Groups that are counted at once, at most.
const GROUPS: usize = 64;
/// What is counted together happened within that time: the rules tell no shorter ones apart.
const TOGETHER: Duration = Duration::from_millis(250);

/// Collects what happens between two looks.
pub struct Shorts {
    /// By place.
    parked: Vec<Option<Parked>>,
    /// Places in the order of the openings; some are empty again, or taken by others.
    order: Vec<(ConnectionId, usize)>,
    /// By the remainder of a hash.
    groups: Vec<Option<Short>>,
    /// Those that are not empty.
    counted: Vec<usize>,
}

/// A connection that opened since the last look.
#[derive(Clone, Copy)]
struct Parked {
    id: ConnectionId,
    at: Time,
    opening: Opening,
    changes: [Option<(Time, StateChange)>; CHANGES],
}

impl Default for Shorts {
    fn default() -> Self {
        Self::new()
    }
}

impl Shorts {
    /// Nothing is parked.
    pub fn new() -> Self {
        Self {
            parked: vec![None; PARKED],
            order: Vec::new(),
            groups: vec![None; GROUPS],
            counted: Vec::new(),
        }
    }

    /// Takes in an event; whether nothing else needs to be done with it. If not, it is for the ledger.
    pub fn take(&mut self, event: &Event, ledger: &mut Ledger, facts: &mut Vec<Fact>) -> bool {
        let Event { at, id, kind } = *event;
        let place = place(id.0, PARKED);
        let Some(parked) = self.parked.get_mut(place) else {
            return false;
        };
        let its = parked.as_mut().filter(|parked| parked.id == id);
        let is_done = match (kind, its) {
            (EventKind::Opened(opening), None) if ledger.is_stranger(id) => {
                let before = parked.replace(Parked {
                    id,
                    at,
                    opening,
                    changes: [None; CHANGES],
                });
                if let Some(before) = before {
                    before.enter(ledger, facts);
                }
                self.order.push((id, place));
                true
            }
            (EventKind::State(change), Some(its)) => its.note(at, change),
            (EventKind::Released { connected }, Some(its)) => {
                if let Some(life) = its.life(at, connected) {
                    let opening = its.opening;
                    *parked = None;
                    self.count(&opening, &life, ledger, facts);
                    true
                } else {
                    false
                }
            }
            _ => false,
        };
        if !is_done {
            self.enter(place, id, ledger, facts);
        } else if self.order.len() >= OPENINGS {
            self.settle(ledger, facts);
        }
        is_done
    }

    /// Ends the look: everything enters the books. What closed comes last, so that who counts what opened in a row
    /// without a close never counts too much.
    pub fn settle(&mut self, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        let mut order = std::mem::take(&mut self.order);
        for (id, place) in order.drain(..) {
            self.enter(place, id, ledger, facts);
        }
        self.order = order;
        for place in self.counted.drain(..) {
            if let Some(short) = self.groups.get_mut(place).and_then(Option::take) {
                ledger.count_short(&short, facts);
            }
        }
    }

    /// A parked connection enters the books, if it is there.
    fn enter(&mut self, place: usize, id: ConnectionId, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        let parked = self.parked.get_mut(place);
        if let Some(parked) = parked.and_then(|parked| parked.take_if(|parked| parked.id == id)) {
            parked.enter(ledger, facts);
        }
    }

    fn count(&mut self, opening: &Opening, life: &Life, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        let place = place(mixed(opening), GROUPS);
        let Some(group) = self.groups.get_mut(place) else {
            return;
        };
        let fits = |short: &mut Short| {
            short.opening.group() == opening.group() && life.closed.since(short.first) < TOGETHER
        };
        if let Some(other) = group.take_if(|short| !fits(short)) {
            ledger.count_short(&other, facts);
        } else if group.is_none() {
            self.counted.push(place);
        }
        let short = group.get_or_insert_with(|| Short {
            opening: *opening,
            count: 0,
            gone: 0,
            first: life.opened,
            last: life.closed,
            lifetimes: Lifetimes::default(),
        });
        // The name may have changed.
        short.opening.comm = opening.comm;
        short.count = short.count.saturating_add(1);
        short.gone = short.gone.saturating_add(life.peer_closed.into());
        short.first = short.first.min(life.opened);
        short.last = short.last.max(life.closed);
        short.lifetimes.add(life.closed.since(life.opened));
    }
}

/// From the opening to the close.
struct Life {
    opened: Time,
    closed: Time,
    /// Whether the peer closed before.
    peer_closed: bool,
}

impl Parked {
    /// Notes a change of state, if that is all there is to do.
    fn note(&mut self, at: Time, change: StateChange) -> bool {
        let room = self.changes.iter_mut().find(|place| place.is_none());
        match (change, room) {
            // It failed, or is dead: no short connection.
            (StateChange::Closed { .. }, _) | (_, None) => false,
            (_, Some(room)) => {
                *room = Some((at, change));
                true
            }
        }
    }

    /// What its life was, if it was connected and is released now. As the ledger sees it: whatever comes after a
    /// handshake tells of one.
    fn life(&self, closed: Time, connected: bool) -> Option<Life> {
        let established = self.changes[0].map(|(at, _)| at).or(connected.then_some(closed));
        let opened = if self.opening.connecting {
            established?
        } else {
            self.at
        };
        let is_ours = |change: &StateChange| *change == StateChange::ShutDown;
        let first_half = self
            .changes
            .iter()
            .flatten()
            .map(|(_, change)| *change)
            .find(|change| is_ours(change) || *change == StateChange::PeerClosed);
        Some(Life {
            opened,
            closed,
            peer_closed: first_half == Some(StateChange::PeerClosed),
        })
    }

    /// Its events enter the books, in their order.
    fn enter(self, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        let Self { id, at, opening, .. } = self;
        let opened = (at, EventKind::Opened(opening));
        let changes = self.changes.into_iter().flatten();
        let changes = changes.map(|(at, change)| (at, EventKind::State(change)));
        for (at, kind) in std::iter::once(opened).chain(changes) {
            ledger.apply(&Event { at, id, kind }, facts);
        }
    }
}

/// A number for a group. Who chooses addresses so that groups meet gains nothing: each is counted alone then.
fn mixed(opening: &Opening) -> u64 {
    /// The golden ratio, of 2^64.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let address = match opening.peer.ip() {
        IpAddr::V4(address) => address.to_bits().into(),
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is enough")]
        IpAddr::V6(address) => address.to_bits() as u64,
    };
    let own = u64::from(opening.process.pid) << 17
        | u64::from(opening.service_port()) << 1
        | u64::from(opening.direction == Direction::Inbound);
    (address.wrapping_mul(SPREAD) ^ own).wrapping_mul(SPREAD) >> 32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the remainder is below the number of places"
)]
fn place(number: u64, places: usize) -> usize {
    (number % places as u64) as usize
}

#[cfg(test)]
#[path = "shorts_tests.rs"]
mod tests;
