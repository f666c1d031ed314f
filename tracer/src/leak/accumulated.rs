//! What was there when the tracer came.

use std::time::Duration;

use super::{
    judge::{MORE_THAN_A_POOL, parts},
    thresholds::Thresholds,
    usage,
    watch::{Key, Population, Watch},
};
use crate::model::{
    connection::{Connection, Direction},
    fact::Start,
    ledger::Ledger,
    time::Time,
};

/// Whether what was there when the tracer came is a finding, and of which connections: many of which the peer has gone
/// long ago; a share of the limit that is hardly used, or twice that share that is not busy; or many that have been
/// silent for longer than any idle timeout, or were never used. Of all that a process has open to others, only that share
/// that is hardly used, and not where each peer has a few.
pub fn accumulated(watch: &Watch, thresholds: &Thresholds, ledger: &Ledger, now: Time) -> Option<Population> {
    /// Useless connections that a process may be about to close.
    const USELESS: u32 = 16;
    /// Fewer than this are few, whatever the limit.
    const FEW: u32 = 16;
    /// Nearly all.
    const NEARLY: f64 = 0.9;
    // What others open to it is a crowd, and a peer has no limit.
    if matches!(watch.key, Key::Process(_, Direction::Inbound) | Key::Peer(..)) {
        return None;
    }
    let is_rollup = matches!(watch.key, Key::Process(..));
    let mut older = Older::default();
    // A connection whose opening was lost is found later, in a group that was watched from its beginning: those that were
    // seen to open are no part of this.
    let members = usage::members(ledger, &watch.key, Population::All)
        .filter(|(_, connection)| connection.life.opened == Start::Older);
    for (_, connection) in members {
        older.add(&connection, thresholds.silent_for, now);
    }
    let nearly_all = |count: u32| f64::from(count) >= NEARLY * f64::from(older.all);
    if older.useless >= USELESS && !is_rollup {
        return Some(Population::Gone);
    }
    let limit = watch
        .key
        .process()
        .and_then(|process| ledger.budget(process, now))
        .and_then(|standing| standing.limit);
    #[expect(clippy::cast_precision_loss, reason = "a number of descriptors")]
    let share = limit.map_or(0.0, |limit| f64::from(older.all) / limit as f64);
    let is_known = older.told * 2 >= older.all;
    let is_busy = is_known && older.busy * 2 >= older.told;
    let is_large = share >= 2.0 * thresholds.accumulated && !is_busy;
    let is_idle =
        share >= thresholds.accumulated && is_known && nearly_all(older.hardly_used.max(older.silent));
    let is_silent =
        older.all >= thresholds.accumulated_silent && nearly_all(older.silent.max(older.never_used));
    let is_thick = || older.all >= parts(watch, Population::All, ledger).saturating_mul(MORE_THAN_A_POOL);
    let is_leak = if is_rollup {
        is_idle && is_thick()
    } else {
        is_large || is_idle || is_silent
    };
    (older.all >= FEW && is_leak).then_some(Population::All)
}

/// The use of connections that were there when the tracer came.
#[derive(Default)]
struct Older {
    all: u32,
    /// Of these, those of which it is told what they carried.
    told: u32,
    /// Silent for longer than common idle timeouts.
    silent: u32,
    /// Silent now, and with no more bytes than one exchange.
    hardly_used: u32,
    /// Without any byte.
    never_used: u32,
    /// In use a moment ago.
    busy: u32,
    /// Their peer is gone, and nobody is about to close them.
    useless: u32,
}

impl Older {
    fn add(&mut self, connection: &Connection, long: Duration, now: Time) {
        /// Bytes of a greeting and a call: more is use.
        const EXCHANGE: u64 = 4096;
        /// Silence between two calls.
        const PAUSE: Duration = Duration::from_secs(5);
        /// Silence after which it is no longer busy.
        const BUSY: Duration = Duration::from_secs(30);
        /// Silence after which nobody is about to close a connection whose peer is gone.
        const FORGOTTEN: Duration = Duration::from_mins(2);
        self.all += 1;
        let Some(traffic) = connection.traffic else {
            return;
        };
        let idle = now.since(traffic.last);
        let bytes = traffic.sent.saturating_add(traffic.received);
        self.told += 1;
        self.silent += u32::from(idle >= long);
        self.hardly_used += u32::from(idle >= PAUSE && bytes <= EXCHANGE);
        self.never_used += u32::from(bytes == 0);
        self.busy += u32::from(idle < BUSY);
        self.useless += u32::from(connection.life.peer_gone.is_some() && idle >= FORGOTTEN);
    }
}
