//! Changes of the books in, lines out.
//!
//! What is recorded are the effects: a replay that makes the same changes in the same order has the same books, and finds
//! the same. Whoever drives the ledger says when the rules look, so that a replay can let them look just then.

mod state;
mod tables;

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    time::SystemTime,
};

use foldhash::HashMap;

use super::{
    books,
    reader::REORDERING,
    written::{
        Activity, Books as BooksLine, Clock, ConnectFailed, Degraded, Header, Holders, Id, Loss, Moment,
        Name, Nanos, Opened, Process, ProcessExit, Stack, Tick, Unaccepted, Written, pair,
    },
};
use crate::{
    model::{
        connection::{Connection, ConnectionId, Phase, ProcessId},
        fact::Fact,
        ledger::Ledger,
        name::Comm,
        process::ProcessInfo,
        stack::{Missing, StackId, Trace},
        time::Time,
    },
    output::record::Books,
};

/// Lines that are not written yet, and what they must not repeat.
#[derive(Default)]
pub struct Journal {
    lines: Vec<u8>,
    /// Lines since they were last [taken](Self::take).
    count: u64,
    /// The newest time in the file: none may lie far before it.
    newest: Time,
    processes: HashMap<ProcessId, Told>,
    /// Connections that several processes hold.
    shared: HashMap<ConnectionId, Vec<ProcessId>>,
    books: Books,
}

/// What was told of a process.
struct Told {
    comm: Comm,
    /// A hash of the rest.
    info: Option<u64>,
}

impl Journal {
    /// With nothing told.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a file: what was told in another one counts for nothing.
    pub fn begin(&mut self, header: &Header<'_>) {
        self.processes.clear();
        self.shared.clear();
        self.books = Books::default();
        self.newest = self.newest.max(header.ts.0);
        self.write(&Written::Header(Box::new(header.clone())));
    }

    /// The lines since the last time, and how many they are.
    pub fn take(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.count))
    }

    /// Bytes of the lines that were not taken.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are no lines that were not taken.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Takes in what changed. The ledger must not have changed since.
    pub fn note(&mut self, facts: &[Fact], ledger: &Ledger) {
        for fact in facts {
            self.note_one(fact, ledger);
        }
    }

    fn note_one(&mut self, fact: &Fact, ledger: &Ledger) {
        match *fact {
            Fact::Opened { id, at, .. } => {
                if let Some(line) = self.opening(id, at, ledger) {
                    self.write(&Written::Opened(line));
                }
            }
            Fact::Attempted { id, at } if ledger.connection(id).is_some_and(|found| found.older) => {
                if let Some(connection) = ledger.connection(id) {
                    let (ts, _) = self.stamp(self.newest.max(at));
                    self.found(ts, id, (&connection, Phase::Connecting), ledger);
                }
            }
            Fact::Attempted { id, at } => {
                if let Some(line) = self.opening(id, at, ledger) {
                    self.write(&Written::Connecting(line));
                }
            }
            Fact::Found { id, at, .. } => {
                if let Some(connection) = ledger.connection(id) {
                    let (ts, _) = self.stamp(at);
                    // The phase follows, if it is another one.
                    self.found(ts, id, (&connection, Phase::Open), ledger);
                }
            }
            Fact::Waiting { id, at } => {
                if let Some(connection) = ledger.connection(id) {
                    self.waiting(id, &connection, at, ledger);
                }
            }
            Fact::Turned { id, at, phase } => self.turned(id, at, phase, ledger),
            Fact::Closed { id, at, .. } => {
                let line = self.moment(id, at);
                self.write(&Written::Released(line));
                self.shared.remove(&id);
            }
            Fact::FailureClosed { id, at, .. } | Fact::Dropped { id, at } => {
                let line = self.moment(id, at);
                self.write(&Written::Released(line));
            }
            Fact::Moved { id, at, .. } | Fact::Passed { id, at } => {
                if let Some(connection) = ledger.connection(id) {
                    self.held(id, &[connection.group.process], at, ledger);
                }
            }
            Fact::Carried { id } => {
                if let Some(connection) = ledger.connection(id) {
                    self.carried(id, &connection);
                }
            }
            // The line of `Turned` says it, or `opened` of a connection that is known. Nothing is counted together where
            // a journal is kept: a line is of one connection.
            Fact::PeerGone { .. } | Fact::Failed { .. } | Fact::Retracted { .. } | Fact::Short { .. } => {}
        }
    }

    fn opening(&mut self, id: ConnectionId, at: Time, ledger: &Ledger) -> Option<Opened<'static>> {
        let connection = ledger.connection(id)?;
        let process = self.introduce_owner(&connection, at, ledger);
        let (ts, late) = self.stamp(at);
        Some(Opened {
            late,
            ..opened(ts, id, process, &connection)
        })
    }

    /// A connection that is there already.
    fn found(
        &mut self,
        ts: Time,
        id: ConnectionId,
        (connection, phase): (&Connection, Phase),
        ledger: &Ledger,
    ) {
        let process = self.introduce_owner(connection, ts, ledger);
        let line = Opened {
            preexisting: true,
            no_stack: why_no_stack(connection, Missing::Older),
            age: Some(nanos_since(ts, connection.opened)),
            ..opened(ts, id, process, connection)
        };
        if phase == Phase::Connecting {
            self.write(&Written::Connecting(line));
            return;
        }
        self.write(&Written::Opened(line));
        let line = moment(ts, 0, id);
        match phase {
            Phase::HalfClosedRemote => self.write(&Written::HalfClosedRemote(line)),
            Phase::HalfClosedLocal => self.write(&Written::HalfClosedLocal(line)),
            Phase::DeadHeld => self.write(&Written::DeadHeld(line)),
            _ => {}
        }
    }

    fn waiting(&mut self, id: ConnectionId, connection: &Connection, since: Time, ledger: &Ledger) {
        let process = self.introduce_owner(connection, since, ledger);
        // Seen now; it may have waited for long.
        let (ts, late) = self.stamp(since);
        self.write(&Written::Unaccepted(Unaccepted {
            ts: Nanos(ts),
            late,
            id: Id(id),
            local: connection.local,
            peer: connection.peer,
            netns: connection.netns,
            listener_pid: process.pid,
            listener_start: Nanos(process.start),
        }));
    }

    fn turned(&mut self, id: ConnectionId, at: Time, phase: Phase, ledger: &Ledger) {
        let line = self.moment(id, at);
        match phase {
            Phase::HalfClosedRemote | Phase::Unaccepted { .. } => {
                self.write(&Written::HalfClosedRemote(line));
            }
            Phase::HalfClosedLocal => self.write(&Written::HalfClosedLocal(line)),
            Phase::DeadHeld => self.write(&Written::DeadHeld(line)),
            Phase::Failed(error) => {
                if let Some(connection) = ledger.connection(id) {
                    self.failed(&line, &connection, error);
                }
            }
            Phase::Connecting | Phase::Open | Phase::Released => {}
        }
    }

    fn failed(&mut self, at: &Moment, connection: &Connection, error: u16) {
        let process = owner(connection);
        self.write(&Written::ConnectFailed(ConnectFailed {
            ts: at.ts,
            late: at.late,
            id: at.id,
            pid: process.pid,
            start: Nanos(process.start),
            peer: connection.peer,
            error,
        }));
    }

    fn carried(&mut self, id: ConnectionId, connection: &Connection) {
        let Some(traffic) = connection.traffic else { return };
        let (ts, _) = self.stamp(traffic.noted);
        self.write(&Written::Activity(Activity {
            ts: Nanos(ts),
            id: Id(id),
            sent: traffic.sent,
            received: traffic.received,
            idle: nanos_since(ts, traffic.last),
        }));
    }

    fn held(&mut self, id: ConnectionId, holders: &[ProcessId], at: Time, ledger: &Ledger) {
        for process in holders {
            self.introduce(*process, ledger.name(*process), at);
        }
        let (ts, late) = self.stamp(at);
        self.write(&Written::Holders(Holders {
            ts: Nanos(ts),
            late,
            id: Id(id),
            pids: holders.iter().map(|process| pair(*process)).collect(),
        }));
    }

    /// Notes what is known of a process, if that is news.
    pub fn describe(&mut self, process: ProcessId, comm: Comm, info: Option<&ProcessInfo>, now: Time) {
        let hash = info.map(|info| {
            let ProcessInfo {
                args,
                unit,
                container,
                inner_pid,
            } = info;
            let mut hasher = DefaultHasher::new();
            (args, unit, container, inner_pid).hash(&mut hasher);
            hasher.finish()
        });
        let is_news = self
            .processes
            .get(&process)
            .is_none_or(|told| hash.is_some() && told.info != hash);
        let Some(info) = info.filter(|_| is_news) else {
            return;
        };
        let (ts, _) = self.stamp(now);
        let args = info.args.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        self.write(&Written::Process(Process {
            args: Some(args.collect()),
            unit: info.unit.as_deref(),
            container: info.container.as_deref(),
            inner_pid: info.inner_pid,
            ..name_of(process, comm, ts)
        }));
        self.processes.insert(process, Told { comm, info: hash });
    }

    /// Notes that a process has exited, if the ledger does not know that yet.
    pub fn exited(&mut self, process: ProcessId, ledger: &Ledger, now: Time) {
        if ledger.has_exited(process) && ledger.descriptors(process).is_none() {
            return;
        }
        let (ts, _) = self.stamp(now);
        let entry = ledger.processes().get(&process);
        self.write(&Written::ProcessExit(ProcessExit {
            ts: Nanos(ts),
            pid: process.pid,
            start: Nanos(process.start),
            told_apart: entry.is_some_and(|entry| !entry.tally.is_idle()),
        }));
    }

    /// Notes that events were lost.
    pub fn lost(&mut self, cause: &str, count: u64, since: Time, now: Time) {
        let (ts, _) = self.stamp(now);
        self.write(&Written::Loss(Loss {
            ts: Nanos(ts),
            count,
            cause,
            since: Nanos(since),
        }));
    }

    /// Notes what a stack looks like.
    pub fn stack(&mut self, id: StackId, trace: &Trace, now: Time) {
        let (ts, _) = self.stamp(now);
        self.write(&Written::Stack(Stack::new(Nanos(ts), id, trace)));
    }

    /// Notes that something is not seen, or seen late.
    pub fn degraded(&mut self, what: &str, now: Time) {
        let (ts, _) = self.stamp(now);
        self.write(&Written::Degraded(Degraded { ts: Nanos(ts), what }));
    }

    /// Notes that the wall clock was set.
    pub fn clock(&mut self, wall: SystemTime, now: Time) {
        let (ts, _) = self.stamp(now);
        let wall = super::wall::format(wall);
        self.write(&Written::Clock(Clock { ts: Nanos(ts), wall }));
    }

    /// Notes what was counted on the way from the kernel.
    pub fn counted(&mut self, mut books: Books, now: Time) {
        let mut counts = BTreeMap::new();
        for ((name, told), (_, count)) in books::by_name(&mut self.books)
            .into_iter()
            .zip(books::by_name(&mut books))
        {
            if told != count {
                counts.insert(name, *count);
                *told = *count;
            }
        }
        if !counts.is_empty() {
            let (ts, _) = self.stamp(now);
            self.write(&Written::Books(BooksLine {
                ts: Nanos(ts),
                counts,
            }));
        }
    }

    /// The rules look now, and at no other time.
    pub fn tick(&mut self, now: Time) {
        let (ts, _) = self.stamp(now);
        self.write(&Written::Tick(Tick { ts: Nanos(ts) }));
    }

    /// Names the process of a connection, if that is news.
    fn introduce_owner(&mut self, connection: &Connection, at: Time, ledger: &Ledger) -> ProcessId {
        let process = owner(connection);
        self.introduce(process, ledger.name(process), at);
        process
    }

    fn introduce(&mut self, process: ProcessId, comm: Comm, at: Time) {
        match self.processes.get_mut(&process) {
            Some(told) if told.comm == comm || comm == Comm::default() => return,
            Some(told) => told.comm = comm,
            None => {
                self.processes.insert(process, Told { comm, info: None });
            }
        }
        let (ts, _) = self.stamp(at);
        self.write(&Written::Process(name_of(process, comm, ts)));
    }

    fn moment(&mut self, id: ConnectionId, at: Time) -> Moment {
        let (ts, late) = self.stamp(at);
        moment(ts, late, id)
    }

    /// The time that a line of this moment has, and how much later that is: no line may be much older than one above it.
    fn stamp(&mut self, at: Time) -> (Time, u64) {
        let ts = at.max(self.newest.earlier(REORDERING));
        self.newest = self.newest.max(ts);
        (ts, nanos_since(ts, at))
    }

    fn write(&mut self, line: &Written<'_>) {
        let length = self.lines.len();
        match serde_json::to_writer(&mut self.lines, line) {
            Ok(()) => {
                self.lines.push(b'\n');
                self.count += 1;
            }
            // Serialising these types into memory cannot fail; if it did, the line would be missing as a whole.
            Err(_) => self.lines.truncate(length),
        }
    }
}

/// Whose a connection is, also where a table was full.
fn owner(connection: &Connection) -> ProcessId {
    match (connection.group.process, connection.opener) {
        (ProcessId::OTHER, Some(opener)) => opener,
        (process, _) => process,
    }
}

fn opened(ts: Time, id: ConnectionId, process: ProcessId, connection: &Connection) -> Opened<'static> {
    Opened {
        ts: Nanos(ts),
        late: 0,
        id: Id(id),
        pid: process.pid,
        start: Nanos(process.start),
        direction: connection.group.direction.name(),
        local: connection.local,
        peer: connection.peer,
        netns: connection.netns,
        stack: connection.stack.stack().ok().map(|id| id.0.to_string()),
        no_stack: why_no_stack(connection, Missing::NotAsked),
        preexisting: false,
        age: None,
    }
}

/// What goes without saying is not said.
fn why_no_stack(connection: &Connection, usual: Missing) -> Option<&'static str> {
    let why = connection.stack.stack().err()?;
    (why != usual).then_some(why.name())
}

const fn moment(ts: Time, late: u64, id: ConnectionId) -> Moment {
    Moment {
        ts: Nanos(ts),
        late,
        id: Id(id),
        lifetime: None,
    }
}

const fn name_of(process: ProcessId, comm: Comm, ts: Time) -> Process<'static> {
    Process {
        ts: Nanos(ts),
        pid: process.pid,
        start: Nanos(process.start),
        comm: Name(comm),
        args: None,
        unit: None,
        container: None,
        inner_pid: None,
        nofile: None,
        fds: None,
        sockets: None,
    }
}

const fn nanos_since(later: Time, earlier: Time) -> u64 {
    later.0.saturating_sub(earlier.0)
}
