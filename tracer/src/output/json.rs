//! Model values as [`record`]s, and records as lines.

mod alert;
mod code;
mod limit;
pub mod list;
mod stall;

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use super::{
    advice::Advice,
    circumstances::{Circumstances, Comparison, Facts},
    errno,
    record::{
        self, AgeQuantiles, AlertStatus, Body, Books, Confidence, Corrected, Counts, Descriptors, Direction,
        Failures, HeldGroup, LifetimeQuantiles, PeerRow, Ports, Process, ProcessRow, Record, State, Table,
        Totals, VERSION,
    },
    sanitize, table,
};
use crate::{
    leak::finding::{Finding, Kind, Resolution, Stage},
    model::{
        budget::{PortUse, Standing},
        connection::{self, PeerKey, Phases, ProcessId},
        name::Comm,
        process::ProcessInfo,
        tally::Tally,
        time::Time,
        trend,
        view::{self, Ages, Row},
    },
};

/// The last second of the year 9999, after which RFC 3339 has no room, since the Unix epoch.
const LAST_MOMENT: Duration = Duration::from_secs(253_402_300_799);

/// Boot time as wall-clock time: where boot lay when the tracer started.
#[derive(Clone, Copy, Debug)]
pub struct Wall {
    boot: SystemTime,
}

impl Wall {
    /// From one reading of both clocks. A wall clock that was never set may lie before boot.
    pub fn new(now: Time, wall: SystemTime) -> Self {
        Self {
            boot: wall
                .checked_sub(now.since(Time(0)))
                .unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }

    /// Follows a wall clock that was stepped. Small differences are the noise of reading two clocks one after the
    /// other, and would make one moment look like two. Says whether it was.
    pub fn follow(&mut self, now: Time, wall: SystemTime) -> bool {
        const NOISE: Duration = Duration::from_millis(100);
        let there = Self::new(now, wall);
        let distance = there
            .boot
            .duration_since(self.boot)
            .unwrap_or_else(|earlier| earlier.duration());
        let is_news = distance > NOISE;
        if is_news {
            *self = there;
        }
        is_news
    }

    /// The moment at which the wall clock shows this time; boot if that lies before it.
    pub fn moment(self, wall: SystemTime) -> Time {
        Time(0) + wall.duration_since(self.boot).unwrap_or_default()
    }

    /// What the wall clock shows at this time.
    pub fn system_time(self, at: Time) -> SystemTime {
        let last = SystemTime::UNIX_EPOCH + LAST_MOMENT;
        self.boot.checked_add(at.since(Time(0))).unwrap_or(last)
    }

    /// RFC 3339, UTC, milliseconds.
    pub fn rfc3339(self, at: Time) -> String {
        let last = SystemTime::UNIX_EPOCH + LAST_MOMENT;
        let moment = self.system_time(at);
        // Outside these bounds the formatter panics.
        humantime::format_rfc3339_millis(moment.clamp(SystemTime::UNIX_EPOCH, last)).to_string()
    }

    /// `14:03:09Z`: the Z tells UTC from the reader's own time.
    pub fn clock(self, at: Time) -> String {
        let full = self.rfc3339(at);
        full.get(11..19)
            .map_or_else(|| full.clone(), |clock| format!("{clock}Z"))
    }
}

/// A record as one line, the newline included. Serialising these types cannot fail; if it did, the line would say so.
///
/// JSON allows characters in strings that a terminal obeys or hides ([`sanitize::is_unsafe`]): they are escaped, so
/// that the line is safe to look at and still holds the very same strings.
pub fn line(wall: Wall, now: Time, body: Body) -> String {
    let record = Record {
        v: VERSION,
        time: wall.rfc3339(now),
        body,
    };
    let mut line = serde_json::to_string(&record).unwrap_or_else(|error| {
        format!(
            r#"{{"v":{VERSION},"type":"error","message":"{}"}}"#,
            error.to_string().escape_default()
        )
    });
    if line.chars().any(sanitize::is_unsafe) {
        line = escaped(&line);
    }
    line.push('\n');
    line
}

/// Such characters can only stand inside a string, where JSON has an escape for each UTF-16 unit.
fn escaped(line: &str) -> String {
    let mut safe = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        if sanitize::is_unsafe(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _: std::fmt::Result = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// A finding as what a line says.
pub fn finding(finding: &Finding, circumstances: &Circumstances<'_>) -> Body {
    let advice = Advice::of(finding, circumstances.own_netns);
    match &finding.kind {
        Kind::Leak(leak) => Body::Alert(Box::new(alert::alert(finding, leak, circumstances, advice))),
        Kind::Stalled(stalled) => Body::Stall(stall::stall(finding, stalled, circumstances, advice)),
        Kind::Exhaustion(exhaustion) => Body::Limit(limit::limit(finding, exhaustion, circumstances, advice)),
    }
}

fn status(stage: Stage) -> (AlertStatus, Option<record::Resolution>) {
    match stage {
        Stage::Opened => (AlertStatus::Opened, None),
        Stage::Updated => (AlertStatus::Updated, None),
        Stage::Resolved(resolution) => {
            let resolution = match resolution {
                Resolution::Drained => record::Resolution::Drained,
                Resolution::AcceptingAgain => record::Resolution::AcceptingAgain,
                Resolution::ListenerGone => record::Resolution::ListenerGone,
                Resolution::ProcessExited => record::Resolution::ProcessExited,
                Resolution::ClosedByPeer => record::Resolution::ClosedByPeer,
                Resolution::Balanced => record::Resolution::Balanced,
                Resolution::Plateaued => record::Resolution::Plateaued,
                Resolution::Relieved => record::Resolution::Relieved,
            };
            (AlertStatus::Resolved, Some(resolution))
        }
    }
}

/// The views as a record. `ports` is the number of ephemeral ports.
pub fn table(
    (processes, all_processes): &(Vec<Row<view::ProcessKey>>, usize),
    (peers, all_peers): &(Vec<Row<PeerKey>>, usize),
    total: Totals,
    ports: Option<u32>,
    facts: &Facts,
) -> Table {
    Table {
        processes: processes
            .iter()
            .map(|row| ProcessRow {
                process: described(row.key.id, row.key.comm, facts.get(&row.key.id)),
                descriptors: row.key.standing.map(descriptors),
                counts: counts(&row.counts),
            })
            .collect(),
        processes_hidden: all_processes.saturating_sub(processes.len()) as u64,
        peers: peers
            .iter()
            .map(|row| PeerRow {
                direction: direction(row.key.direction),
                peer: row.key.peer.to_string(),
                service_port: row.key.service_port,
                ports: table::port_use(row, ports).map(self::ports),
                counts: counts(&row.counts),
            })
            .collect(),
        peers_hidden: all_peers.saturating_sub(peers.len()) as u64,
        total,
    }
}

/// A descriptor table.
pub fn descriptors(standing: Standing) -> Descriptors {
    let Standing {
        used,
        sockets,
        limit,
        lasts,
    } = standing;
    Descriptors {
        used,
        sockets,
        limit,
        lasts_seconds: lasts.map(seconds),
    }
}

fn ports(ports: PortUse) -> Ports {
    Ports {
        used: ports.used,
        available: ports.available,
        lasts_seconds: ports.lasts.map(seconds),
    }
}

/// Counts, with the phases of what is open.
pub fn totals(tally: &Tally, phases: Phases) -> Totals {
    let Tally {
        open,
        connecting,
        unaccepted,
        opened,
        older,
        closed,
        received,
        given,
        failed,
    } = *tally;
    let Phases {
        open: _,
        half_closed_remote,
        half_closed_local,
        dead_held,
    } = phases;
    Totals {
        open,
        half_closed_remote,
        half_closed_local,
        dead_held,
        connecting,
        unaccepted,
        opened,
        older,
        closed,
        received,
        given,
        failed,
    }
}

fn age_quantiles(ages: &Ages) -> AgeQuantiles {
    AgeQuantiles {
        oldest: seconds(ages.oldest.span),
        median: seconds(ages.median.span),
        p90: seconds(ages.p90.span),
        at_least: ages.oldest.at_least || ages.median.at_least || ages.p90.at_least,
    }
}

fn counts(counts: &view::Counts) -> Counts {
    Counts {
        totals: totals(&counts.tally, counts.phases),
        opened_per_minute: counts.opened_per_minute,
        closed_per_minute: counts.closed_per_minute,
        open_age: counts.ages.as_ref().map(age_quantiles),
        lifetime: counts.lifetimes.map(|(median, p90)| LifetimeQuantiles {
            median: seconds(median),
            p90: seconds(p90),
        }),
        failures: failures(counts.failures.iter().copied()),
        state: match counts.state {
            trend::State::WarmingUp => State::WarmingUp,
            trend::State::Growing => State::Growing,
            trend::State::Steady => State::Steady,
            trend::State::Draining => State::Draining,
        },
    }
}

/// Failed attempts by errno.
pub fn failures(failures: impl Iterator<Item = (u16, u64)>) -> Vec<Failures> {
    failures
        .map(|(errno, count)| Failures {
            errno,
            error: errno::name(errno),
            count,
        })
        .collect()
}

fn process(id: ProcessId, comm: Comm) -> Process {
    described(id, comm, None)
}

/// JSON strings are Unicode, so bytes that are not are replaced; the serialiser escapes the rest.
fn described(id: ProcessId, comm: Comm, info: Option<&ProcessInfo>) -> Process {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let args = info.map_or(&[][..], |info| &info.args);
    Process {
        pid: (id != ProcessId::OTHER).then_some(id.pid),
        start_ns: id.start.0.to_string(),
        comm: text(comm.bytes()),
        args: if args.is_empty() {
            Vec::new()
        } else {
            args.split(|byte| *byte == 0).map(text).collect()
        },
        unit: info.and_then(|info| info.unit.clone()),
        container: info.and_then(|info| info.container.clone()),
        inner_pid: info.and_then(|info| info.inner_pid),
    }
}

/// A group, apart from its process, and how many it has open.
fn held_group((key, open): &(PeerKey, u32)) -> HeldGroup {
    HeldGroup {
        direction: direction(key.direction),
        peer: key.peer.to_string(),
        service_port: key.service_port,
        open: *open,
    }
}

fn direction(direction: connection::Direction) -> Direction {
    match direction {
        connection::Direction::Outbound => Direction::Outbound,
        connection::Direction::Inbound => Direction::Inbound,
    }
}

/// Microseconds are precise enough, and shorter to read.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a century are below 2^52"
)]
fn seconds(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e6
}

/// What a finding is worth. `older` is how many connections were found open, `compared` the last comparison with the
/// kernel's tables.
pub fn confidence(
    attached: Time,
    books: &Books,
    older: u64,
    compared: Option<Comparison>,
    degraded: &[String],
    wall: Wall,
) -> Confidence {
    let healed = compared.map_or(0, |compared| compared.lost);
    Confidence {
        attached_since: wall.rfc3339(attached),
        lost: books.lost(),
        lost_unhealed: books.lost().saturating_sub(healed),
        older,
        reconciled: compared.map(|compared| wall.rfc3339(compared.at)),
        corrected: compared.map(|Comparison { changed, .. }| Corrected {
            added: changed.added,
            ended: changed.ended,
            moved: changed.moved,
        }),
        degraded: degraded.to_vec(),
    }
}
