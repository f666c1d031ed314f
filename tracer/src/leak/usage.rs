//! Whether the connections that pile up are used.

use std::time::Duration;

use super::{
    evidence::Silence,
    thresholds::Thresholds,
    watch::{Key, Population},
};
use crate::model::{
    connection::{Connection, ConnectionId, Phase},
    ledger::Ledger,
    time::Time,
};

/// A recording may tell of traffic as seldom as this: less silence than that is none.
const TOLD_EVERY: Duration = Duration::from_mins(11);
/// Share of its age that an unused connection has been silent for, and a used one at most.
const SILENT: f64 = 0.75;
const BUSY: f64 = 0.25;

/// Use of the connections of some age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Connections that were looked at.
    pub of: u32,
    /// Of these, silent for most of their lives.
    pub unused: u32,
    /// Of these, silent for longer than common idle timeouts.
    pub forgotten: u32,
    /// Of these, in use now.
    pub used: u32,
    /// How long all the unused ones have been silent.
    pub span: Duration,
}

/// Whether connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nearly all have been silent for longer than common idle timeouts.
    Forgotten,
    /// Nearly all have been silent for most of their lives.
    Quiet,
    /// Nearly all are in use.
    Working,
    /// Neither.
    Unclear,
}

impl Use {
    /// Whether nearly all are silent.
    pub const fn is_unused(self) -> bool {
        matches!(self, Self::Forgotten | Self::Quiet)
    }
}

impl Usage {
    /// Of the connections of a watch that opened in a window and are at least this old: what was there before is not what
    /// grows. Silence of `long` is longer than common idle timeouts. `None` if nobody tells what connections carry, or there are none.
    pub fn of(
        ledger: &Ledger,
        key: &Key,
        now: Time,
        (since, least_age): (Time, Duration),
        long: Duration,
    ) -> Option<Self> {
        if !ledger.tells_traffic() {
            return None;
        }
        let mut usage = Self::default();
        for (_, connection) in members(ledger, key, Population::All) {
            let age = now.since(connection.opened);
            // Of younger ones than are told of nobody can say anything.
            if age < least_age.max(TOLD_EVERY) || connection.opened < since {
                continue;
            }
            let silent = silent_for(&connection, now).unwrap_or(age);
            usage.of += 1;
            if silent >= TOLD_EVERY && silent >= age.mul_f64(SILENT) {
                if usage.unused == 0 || silent < usage.span {
                    usage.span = silent;
                }
                usage.unused += 1;
                usage.forgotten += u32::from(silent >= long);
            } else if silent <= age.mul_f64(BUSY).max(TOLD_EVERY) {
                usage.used += 1;
            }
        }
        (usage.of > 0).then_some(usage)
    }

    /// What it says of all of them.
    pub fn verdict(&self, thresholds: &Thresholds) -> Use {
        if self.forgotten_share() >= thresholds.unused {
            Use::Forgotten
        } else if self.unused_share() >= thresholds.unused {
            Use::Quiet
        } else if self.used_share() >= thresholds.used {
            Use::Working
        } else {
            Use::Unclear
        }
    }

    /// Share that is unused.
    fn unused_share(&self) -> f64 {
        f64::from(self.unused) / f64::from(self.of.max(1))
    }

    /// Share that has been silent for longer than common idle timeouts.
    fn forgotten_share(&self) -> f64 {
        f64::from(self.forgotten) / f64::from(self.of.max(1))
    }

    /// Share that is in use.
    fn used_share(&self) -> f64 {
        f64::from(self.used) / f64::from(self.of.max(1))
    }

    /// As it is told.
    pub fn silence(&self) -> Silence {
        Silence {
            silent: self.unused,
            of: self.of,
            span: self.span,
        }
    }
}

/// The connections of a watch.
pub fn members(
    ledger: &Ledger,
    key: &Key,
    population: Population,
) -> impl Iterator<Item = (ConnectionId, Connection)> {
    let connections: Box<dyn Iterator<Item = _>> = match *key {
        Key::Group(group) => Box::new(ledger.of_group(group)),
        Key::Process(process, direction) => Box::new(ledger.of_process(process, direction)),
        Key::Peer(direction, peer) => Box::new(ledger.of_peer(direction, peer)),
    };
    connections.filter(move |(_, connection)| match (population, connection.phase) {
        (Population::All, phase) => phase.is_held(),
        (Population::Gone, Phase::Failed(_)) => true,
        (Population::Gone, phase) => phase.is_held() && connection.life.peer_gone.is_some(),
    })
}

/// How long a connection has carried nothing; `None` if nobody told yet.
pub fn silent_for(connection: &Connection, now: Time) -> Option<Duration> {
    let traffic = connection.traffic?;
    Some(now.since(traffic.last))
}
