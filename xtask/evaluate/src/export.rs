//! Writes worlds as recordings, for `tracer replay`: what a tracer would have recorded that was there all the time.

mod line;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io::{self, Write},
    net::IpAddr,
};

use serde_json::{Value, json};
use tracer::model::{
    connection::{ConnectionId, Phase, ProcessId},
    snapshot::{Held, Snapshot},
};

use crate::{
    kernel::{self, Kernel},
    timeline::{self, Happening, Timeline, What},
    world::{Connection, Entrance, Loss, MINUTE, World},
};
use line::{At, Line};

/// A recording begins here by the calendar.
const WALL: &str = "2026-01-01T00:00:00Z";
/// Between two comparisons.
const RECONCILE: f64 = 30.0;
/// What connections carry is told each minute for so long,
const EARLY: f64 = 10.0 * MINUTE;
/// and every so often after that: the format asks for no less.
const CARRIED: f64 = 10.0 * MINUTE;

/// Writes the recording of a world.
///
/// # Errors
/// When it cannot be written.
pub fn write(world: &World, out: impl Write) -> io::Result<()> {
    let mut export = Export {
        world,
        kernel: Kernel::new(world),
        out,
        carried: HashMap::new(),
        counted: HashMap::new(),
        exits: exits(world),
    };
    export.begin()?;
    let mut timeline = Timeline::new(world);
    while let Some(happening) = timeline.next_before(0.0) {
        export.kernel.follow(&happening);
    }
    export.find()?;
    export.look(0.0, true)?;
    let (mut now, mut next_carried) = (0.0, MINUTE);
    while now < world.horizon {
        now = f64::min(now + RECONCILE, world.horizon);
        while let Some(happening) = timeline.next_until(now) {
            export.exit(happening.at)?;
            export.happen(&happening)?;
        }
        // What happens at the very moment came before.
        export.exit(now.next_up())?;
        let sleeps = |(from, to): &(f64, f64)| (*from..*to).contains(&now);
        if !world.sleeps.iter().any(sleeps) {
            let is_due = now >= next_carried;
            if is_due {
                next_carried = now + if now < EARLY { MINUTE } else { CARRIED };
            }
            export.look(now, is_due)?;
        }
    }
    export.line(&Line::Tick {
        ts: world.time(world.horizon).0,
    })?;
    export.out.flush()
}

/// The truth about a world, to judge a replay by. Times are those of its recording; what never comes is `null`.
pub fn truth(world: &World, file: &str) -> Value {
    let at = |moment: f64| moment.is_finite().then(|| world.time(moment).0);
    let leaked = world.connections.iter().filter(|connection| connection.leaks);
    let processes: BTreeSet<ProcessId> = leaked
        .clone()
        .map(|connection| world.process_id(connection.process))
        .collect();
    let peers: BTreeSet<IpAddr> = leaked.map(|connection| connection.peer.ip()).collect();
    let processes: Vec<_> = processes
        .iter()
        .map(|process| [process.pid.into(), process.start.0])
        .collect();
    json!({
        "file": file,
        "family": world.family,
        "seed": world.seed,
        "leaks": world.leaks(),
        "onset": world.onset.and_then(at),
        "half_used": at(world.half_used),
        "exhausted": at(world.exhausted),
        "end": at(world.horizon),
        "processes": processes,
        "peers": peers,
    })
}

/// The processes that end, in the order in which they do.
fn exits(world: &World) -> VecDeque<(f64, ProcessId)> {
    let processes = world.processes.iter().enumerate();
    let mut exits: Vec<(f64, ProcessId)> = processes
        .filter(|(_, process)| process.ends.is_finite())
        .map(|(number, process)| (process.ends, world.process_id(number)))
        .collect();
    exits.sort_by(|a, b| a.0.total_cmp(&b.0));
    exits.into()
}

/// A recording that is being written.
struct Export<'a, W> {
    world: &'a World,
    kernel: Kernel<'a>,
    out: W,
    /// Bytes that were last told of each connection.
    carried: HashMap<ConnectionId, u64>,
    /// Descriptors that were last told of each process.
    counted: HashMap<ProcessId, u32>,
    /// The ends of processes that are still to come.
    exits: VecDeque<(f64, ProcessId)>,
}

impl<W: Write> Export<'_, W> {
    fn begin(&mut self) -> io::Result<()> {
        let ts = self.world.time(0.0).0;
        let host = format!("{}-{}", self.world.family, self.world.seed);
        self.line(&Line::Header {
            v: 1,
            ts,
            wall: WALL,
            host: &host,
            backend: "simulated",
        })
    }

    /// What is there when the tracer comes.
    fn find(&mut self) -> io::Result<()> {
        self.count(0.0)?;
        let mut found = self.kernel.snapshot(0.0).held;
        found.sort_unstable_by_key(|row| row.id);
        for row in &found {
            let at = At {
                ts: row.at.0,
                id: row.id,
            };
            if row.phase == Phase::Connecting {
                // An attempt under way has no line of its own.
                continue;
            }
            self.line(&Line::Opened {
                ts: at.ts,
                id: at.id,
                process: row.process.into(),
                direction: self.direction(row.id),
                local: row.local,
                peer: row.peer,
                netns: kernel::NETNS,
                preexisting: true,
            })?;
            match row.phase {
                Phase::HalfClosedRemote => self.line(&Line::HalfClosedRemote(at))?,
                Phase::DeadHeld => self.line(&Line::DeadHeld(at))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The direction of a connection of which a row tells.
    fn direction(&self, id: ConnectionId) -> &'static str {
        let of_row = |connection: &Connection| line::word(connection.direction);
        kernel::connection(self.world, id).map_or("outbound", of_row)
    }

    /// Something happens.
    fn happen(&mut self, happening: &Happening) -> io::Result<()> {
        self.kernel.follow(happening);
        let Some(connection) = self.world.connections.get(happening.connection) else {
            return Ok(());
        };
        let at = At {
            ts: self.world.time(happening.at).0,
            id: kernel::id(happening.connection),
        };
        let process = self.world.process_id(connection.process);
        if happening.what == What::Opens && !self.counted.contains_key(&process) {
            self.count(happening.at)?;
        }
        match (happening.what, connection.entrance) {
            (What::Opens, Entrance::Open) => self.line(&Line::Opened {
                ts: at.ts,
                id: at.id,
                process: process.into(),
                direction: line::word(connection.direction),
                local: connection.local,
                peer: connection.peer,
                netns: kernel::NETNS,
                preexisting: false,
            }),
            (What::Opens, Entrance::Unaccepted) => self.line(&Line::Unaccepted {
                ts: at.ts,
                id: at.id,
                local: connection.local,
                peer: connection.peer,
                netns: kernel::NETNS,
                listener_pid: process.pid,
                listener_start: process.start.0,
            }),
            // It is told when it has failed: the format knows no attempts under way, nor who holds a failed one.
            (What::Opens, Entrance::Unanswered) => Ok(()),
            (What::TimesOut, _) => self.fail(connection, process, at.ts, 110), // ETIMEDOUT
            (What::Closes, Entrance::Unanswered) => {
                if happening.at - connection.opened < timeline::CONNECT_TIMEOUT {
                    self.fail(connection, process, at.ts, 0)?;
                }
                Ok(())
            }
            (What::LosesPeer, _) => match connection.lost {
                Some((_, Loss::Reset)) => self.line(&Line::DeadHeld(at)),
                _ => self.line(&Line::HalfClosedRemote(at)),
            },
            (What::Closes, _) => {
                self.carried.remove(&at.id);
                self.line(&Line::Released(at))
            }
        }
    }

    fn fail(&mut self, connection: &Connection, process: ProcessId, ts: u64, error: u16) -> io::Result<()> {
        self.line(&Line::ConnectFailed {
            ts,
            process: process.into(),
            peer: connection.peer,
            error,
        })
    }

    /// Processes that have ended before a moment.
    fn exit(&mut self, now: f64) -> io::Result<()> {
        while let Some((ended, process)) = self.exits.pop_front_if(|(ends, _)| *ends < now) {
            self.counted.remove(&process);
            self.line(&Line::ProcessExit {
                ts: self.world.time(ended).0,
                process: process.into(),
            })?;
        }
        Ok(())
    }

    /// The tables are read, and at times also what connections carry.
    fn look(&mut self, now: f64, traffic: bool) -> io::Result<()> {
        if traffic {
            let Snapshot { mut held, .. } = self.kernel.snapshot(now);
            held.sort_unstable_by_key(|row| row.id);
            for row in held {
                self.carry(&row)?;
            }
        }
        self.count(now)?;
        let open = self.kernel.held();
        self.line(&Line::Reconciled {
            ts: self.world.time(now).0,
            open,
        })
    }

    /// What a connection has carried, if that is news.
    fn carry(&mut self, row: &Held) -> io::Result<()> {
        let is_told =
            kernel::connection(self.world, row.id).is_some_and(|row| row.entrance == Entrance::Open);
        if !is_told || self.carried.insert(row.id, row.sent) == Some(row.sent) {
            return Ok(());
        }
        self.line(&Line::Activity {
            ts: row.at.0,
            id: row.id,
            sent: row.sent,
            received: row.received,
            idle: u64::try_from(row.idle.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// The descriptors of the processes, where that is news.
    fn count(&mut self, now: f64) -> io::Result<()> {
        let tables: Vec<_> = self.kernel.tables(now).collect();
        for table in tables {
            if self.counted.insert(table.process, table.used) == Some(table.used) {
                continue;
            }
            self.line(&Line::Process {
                ts: table.at.0,
                process: table.process.into(),
                comm: &String::from_utf8_lossy(table.comm.bytes()),
                nofile: table.limit.unwrap_or_default(),
                fds: table.used,
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests;
