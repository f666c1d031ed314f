//! Plays lines: makes the changes of the ledger that they tell.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    line::{Activity, ConnectFailed, Holders, Line, Loss, Opened, Process, Reconciled, Turn, Unaccepted},
    queue::Queues,
};
use crate::{
    enrich::cgroup,
    model::{
        connection::{ConnectionId, Direction, Phase, ProcessId, Traffic},
        event::{EndCause, Event, EventKind, Opening, StateChange},
        fact::Fact,
        ledger::Ledger,
        name::Comm,
        process::ProcessInfo,
        snapshot::Descriptors,
        time::Time,
    },
};

/// Processes that are remembered although the books do not know them.
const PROCESSES: usize = 1 << 15;
/// How long they are, at least.
const FRESH: Duration = Duration::from_mins(1);
/// Holders of one connection that are remembered.
const HOLDERS: usize = 64;

/// What a line says that is not for the ledger.
#[derive(Debug, PartialEq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// Events were lost.
    Loss(Box<Loss>),
    /// The books were compared with the kernel's tables.
    Reconciled(Reconciled),
}

/// What is remembered from line to line, beside the ledger.
#[derive(Default)]
pub struct Player {
    processes: HashMap<ProcessId, Known>,
    /// So many processes make it worth forgetting some.
    crowd: usize,
    /// Connections that several processes hold.
    shared: HashMap<ConnectionId, Vec<ProcessId>>,
    queues: Queues,
    /// A pre-existing connection, until the next line says whether it is in another phase than open.
    found: Option<Opened>,
    /// Descriptor tables that hold from the next moment on.
    counted: Vec<Descriptors>,
}

struct Known {
    comm: Comm,
    info: ProcessInfo,
    nofile: Option<u64>,
    told: Time,
}

impl Player {
    /// At the beginning of a recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the recording tells of a process.
    pub fn process(&self, process: ProcessId) -> Option<&ProcessInfo> {
        self.processes.get(&process).map(|known| &known.info)
    }

    /// Makes the changes of a line. `admits` says whether a connection is watched.
    pub fn play(
        &mut self,
        line: Line,
        ledger: &mut Ledger,
        facts: &mut Vec<Fact>,
        admits: impl Fn(&Opening) -> bool,
    ) -> Told {
        if let Some(found) = self.found.take() {
            let phase = found.phase_by(&line);
            self.find(&found, phase, ledger, facts);
            if phase != Phase::Open {
                return Told::Nothing;
            }
        }
        if self.counted.first().is_some_and(|table| table.at != line.ts()) {
            self.count(ledger);
        }
        match line {
            Line::Process(process) => self.describe(*process, ledger),
            Line::ProcessExit(exit) => self.exit(id_of(exit.pid, exit.start), exit.ts, ledger, facts),
            Line::Opened(opened) => self.open(opened, ledger, facts, admits),
            Line::Unaccepted(unaccepted) => self.wait(&unaccepted, ledger, facts, admits),
            Line::Phase(turn, at) => {
                if turn != Turn::HalfClosedLocal {
                    self.queues.give_up(at.id);
                }
                let kind = EventKind::State(turn.change());
                let event = Event {
                    at: at.ts,
                    id: at.id,
                    kind,
                };
                ledger.apply(&event, facts);
            }
            Line::Activity(activity) => carry(&activity, ledger),
            Line::Holders(holders) => self.hold(*holders, ledger, facts),
            Line::Released(at) => {
                if ledger.phase(at.id).is_some() || ledger.disregards(at.id) {
                    self.end(at.id, at.ts, ledger, facts);
                } else {
                    ledger.note_orphan();
                }
            }
            // It may follow a release, or not: after that nothing is known of it any more.
            Line::Ended(at) => {
                if ledger.phase(at.id).is_some() || ledger.disregards(at.id) {
                    self.end(at.id, at.ts, ledger, facts);
                }
            }
            Line::ConnectFailed(failed) => self.fail(&failed, ledger, admits),
            Line::Loss(loss) => return Told::Loss(loss),
            Line::Reconciled(reconciled) => {
                ledger.note_comparison(reconciled.ts);
                return Told::Reconciled(reconciled);
            }
            Line::Header(_) | Line::Tick(_) | Line::Other(_) => {}
        }
        Told::Nothing
    }

    /// To be called before the rules look.
    pub fn settle(&mut self, now: Time, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        if let Some(found) = self.found.take() {
            self.find(&found, Phase::Open, ledger, facts);
        }
        self.count(ledger);
        if !self.queues.is_empty() || !ledger.listeners().is_empty() {
            let processes = &self.processes;
            let name = |process| {
                processes
                    .get(&process)
                    .map_or_else(Comm::default, |known| known.comm)
            };
            let listeners = self.queues.look(now, name);
            ledger.set_listeners(listeners);
        }
        if self.processes.len() > self.crowd.max(PROCESSES) {
            self.forget(now, ledger);
        }
    }

    fn forget(&mut self, now: Time, ledger: &Ledger) {
        let is_in_the_books = |process: &ProcessId| ledger.processes().get(process).is_some();
        self.processes
            .retain(|process, known| is_in_the_books(process) || now.since(known.told) < FRESH);
        if self.processes.len() > PROCESSES {
            self.processes.retain(|process, _| is_in_the_books(process));
        }
        self.crowd = self.processes.len() * 2;
    }

    fn describe(&mut self, line: Process, ledger: &mut Ledger) {
        let process = id_of(line.pid, line.start);
        let known = self.processes.entry(process).or_insert_with(|| Known {
            comm: line.comm,
            info: ProcessInfo::default(),
            nofile: None,
            told: line.ts,
        });
        known.comm = line.comm;
        known.told = line.ts;
        known.nofile = line.nofile.or(known.nofile);
        let Process {
            ts,
            comm,
            nofile,
            fds,
            ..
        } = line;
        line.inform(&mut known.info);
        ledger.rename(process, comm);
        if fds.is_some() || nofile.is_some() {
            let entry = ledger.processes().get(&process);
            let open = entry.map_or(0, |entry| entry.tally.open);
            self.counted.push(Descriptors {
                process,
                comm,
                // Every connection is a descriptor at least.
                used: fds.unwrap_or(open),
                sockets: open,
                limit: known.nofile,
                at: ts,
            });
        }
    }

    fn count(&mut self, ledger: &mut Ledger) {
        for table in self.counted.drain(..) {
            ledger.note_descriptors(table);
        }
    }

    fn exit(&mut self, process: ProcessId, at: Time, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        self.counted.retain(|table| table.process != process);
        for id in ledger.connections_of(process) {
            let heirs = self.shared.get_mut(&id).map(|holders| {
                holders.retain(|holder| *holder != process);
                holders.clone()
            });
            match heirs {
                Some(heirs) if !heirs.is_empty() => self.share(id, heirs, at, ledger, facts),
                _ => self.end(id, at, ledger, facts),
            }
        }
        self.queues.forget(process);
        ledger.note_exit(process);
    }

    fn open(
        &mut self,
        opened: Opened,
        ledger: &mut Ledger,
        facts: &mut Vec<Fact>,
        admits: impl Fn(&Opening) -> bool,
    ) {
        let opening = self.opening(&opened);
        let before = ledger.phase(opened.id);
        if !admits(&opening) {
            if before.is_some() {
                self.end(opened.id, opened.ts, ledger, facts);
            }
            ledger.disregard(opened.id);
            return;
        }
        if opened.preexisting == Some(true) {
            match before {
                None => self.found = Some(opened),
                // It was accepted, and nobody told when.
                Some(Phase::Unaccepted { .. }) => {
                    self.end(opened.id, opened.ts, ledger, facts);
                    self.found = Some(opened);
                }
                // The next file of a recording tells again what is open.
                Some(_) => {}
            }
            return;
        }
        self.queues.leave(opened.id);
        let kind = EventKind::Opened(opening);
        let event = Event {
            at: opened.ts,
            id: opened.id,
            kind,
        };
        ledger.apply(&event, facts);
    }

    fn find(&mut self, found: &Opened, phase: Phase, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        let since = found.ts.earlier(found.age.unwrap_or_default());
        ledger.find(found.id, self.opening(found), since, (phase, found.ts), facts);
    }

    fn opening(&self, opened: &Opened) -> Opening {
        let process = id_of(opened.pid, opened.start);
        Opening {
            process,
            comm: self.name(process),
            direction: opened.direction,
            connecting: false,
            local: opened.local,
            peer: opened.peer,
            netns: opened.netns,
        }
    }

    fn wait(
        &mut self,
        line: &Unaccepted,
        ledger: &mut Ledger,
        facts: &mut Vec<Fact>,
        admits: impl Fn(&Opening) -> bool,
    ) {
        let process = match (line.listener_pid, line.listener_start) {
            (Some(pid), Some(start)) => id_of(pid, start),
            (Some(pid), None) => id_of(pid, Time(0)),
            (None, _) => ProcessId::OTHER,
        };
        let opening = Opening {
            process,
            comm: self.name(process),
            direction: Direction::Inbound,
            connecting: false,
            local: line.local,
            peer: line.peer,
            netns: line.netns,
        };
        if !admits(&opening) {
            ledger.disregard(line.id);
            return;
        }
        if ledger.phase(line.id).is_some() {
            return;
        }
        ledger.wait(line.id, opening, line.ts, facts);
        if ledger.phase(line.id).is_some() {
            let ends = (line.local, line.peer);
            self.queues.enter((process, line.netns), line.id, ends, line.ts);
        }
    }

    fn hold(&mut self, line: Holders, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        if matches!(ledger.phase(line.id), None | Some(Phase::Unaccepted { .. })) {
            return;
        }
        let mut holders = line.processes;
        holders.sort_unstable();
        holders.dedup();
        holders.truncate(HOLDERS);
        self.share(line.id, holders, line.ts, ledger, facts);
    }

    fn share(
        &mut self,
        id: ConnectionId,
        holders: Vec<ProcessId>,
        at: Time,
        ledger: &mut Ledger,
        facts: &mut Vec<Fact>,
    ) {
        let named: Vec<(ProcessId, Comm)> = holders
            .iter()
            .map(|process| (*process, self.name(*process)))
            .collect();
        ledger.hold(id, &named, at, facts);
        if holders.len() > 1 {
            self.shared.insert(id, holders);
        } else {
            self.shared.remove(&id);
        }
    }

    fn fail(&self, failed: &ConnectFailed, ledger: &mut Ledger, admits: impl Fn(&Opening) -> bool) {
        let process = id_of(failed.pid, failed.start);
        let opening = Opening {
            process,
            comm: self.name(process),
            direction: Direction::Outbound,
            connecting: true,
            local: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            peer: failed.peer,
            netns: 0,
        };
        if admits(&opening) {
            ledger.fail(opening, failed.error, failed.ts);
        }
    }

    /// The process let go: for every count that is the end.
    fn end(&mut self, id: ConnectionId, at: Time, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        self.queues.leave(id);
        self.shared.remove(&id);
        let kind = EventKind::Ended(EndCause::Destroyed);
        ledger.apply(&Event { at, id, kind }, facts);
    }

    fn name(&self, process: ProcessId) -> Comm {
        let known = self.processes.get(&process);
        known.map_or_else(Comm::default, |known| known.comm)
    }
}

fn id_of(pid: u32, start: Time) -> ProcessId {
    ProcessId { pid, start }
}

fn carry(line: &Activity, ledger: &mut Ledger) {
    let before = ledger.traffic(line.id);
    let has_moved = before.is_none_or(|before| (before.sent, before.received) != (line.sent, line.received));
    let last = match (line.idle, before) {
        (Some(idle), _) => line.ts.earlier(idle),
        (None, Some(before)) if !has_moved => before.last,
        (None, _) => line.ts,
    };
    let Activity {
        ts,
        id,
        sent,
        received,
        ..
    } = *line;
    let traffic = Traffic {
        sent,
        received,
        last,
        noted: ts,
    };
    ledger.carry(id, traffic);
}

impl Turn {
    fn change(self) -> StateChange {
        match self {
            Self::HalfClosedRemote => StateChange::PeerClosed,
            Self::HalfClosedLocal => StateChange::ShutDown,
            Self::DeadHeld => StateChange::Closed { error: 0 },
        }
    }

    fn phase(self) -> Phase {
        match self {
            Self::HalfClosedRemote => Phase::HalfClosedRemote,
            Self::HalfClosedLocal => Phase::HalfClosedLocal,
            Self::DeadHeld => Phase::DeadHeld,
        }
    }
}

impl Opened {
    /// The phase that a pre-existing connection was found in: the line right after it says if it is not open.
    fn phase_by(&self, next: &Line) -> Phase {
        match next {
            Line::Phase(turn, at) if at.id == self.id && at.ts == self.ts => turn.phase(),
            _ => Phase::Open,
        }
    }
}

impl Process {
    /// Notes what is new.
    fn inform(self, info: &mut ProcessInfo) {
        let Self {
            exe,
            mut args,
            cgroup,
            ..
        } = self;
        if args.is_empty() {
            args = exe.map(String::into_bytes).unwrap_or_default();
        }
        args.truncate(ProcessInfo::ARGS);
        if !args.is_empty() {
            info.args = args;
        }
        if let Some(cgroup) = cgroup {
            let membership = cgroup::parse(&cgroup_file(&cgroup));
            info.unit = membership.unit;
            info.container = membership.container;
        }
    }
}

/// A recording may hold the path alone, or the lines of `/proc/PID/cgroup`.
fn cgroup_file(cgroup: &str) -> Vec<u8> {
    let hierarchy = if cgroup.starts_with('/') { "0::" } else { "" };
    format!("{hierarchy}{cgroup}\n").into_bytes()
}
