//! Plays lines: makes the changes of the ledger that they tell.

mod processes;
mod tables;

use std::net::{Ipv4Addr, SocketAddr};

use foldhash::HashMap;

use super::{
    line::{
        Activity, At, Books, Clock, ConnectFailed, Degraded, Holders, Line, Loss, Opened, Reconciled, Turn,
        Unaccepted,
    },
    queue::Queues,
};
use crate::model::{
    connection::{ConnectionId, Direction, Phase, ProcessId, Traffic},
    event::{EndCause, Event, EventKind, Opening, StateChange},
    fact::Fact,
    ledger::Ledger,
    name::Comm,
    snapshot::Descriptors,
    stack::Opener,
    time::Time,
};
use processes::Known;
use tables::Tables;

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
    /// Records were counted.
    Books(Box<Books>),
    /// The wall clock was set.
    Clock(Box<Clock>),
    /// Something is not seen.
    Degraded(Box<Degraded>),
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
    tables: Tables,
}

impl Player {
    /// At the beginning of a recording.
    pub fn new() -> Self {
        Self::default()
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
        let line_ts = line.ts();
        match line {
            Line::Process(process) => self.describe(*process, ledger),
            Line::ProcessExit(exit) => self.exit(&exit, ledger, facts),
            Line::Connecting(opened) => self.attempt(&opened, ledger, facts, admits),
            Line::Opened(opened) => self.open(opened, ledger, facts, admits),
            Line::Unaccepted(unaccepted) => self.wait(&unaccepted, ledger, facts, admits),
            Line::Phase(turn, at) => {
                if turn != Turn::HalfClosedLocal {
                    self.queues.give_up(at.id);
                }
                let kind = EventKind::State(turn.change());
                let event = Event {
                    at: at.moment(),
                    id: at.id,
                    kind,
                };
                ledger.apply(&event, facts);
            }
            Line::Activity(activity) => carry(&activity, ledger),
            Line::Holders(holders) => self.hold(*holders, ledger, facts),
            Line::Released(at) => {
                if ledger.phase(at.id).is_some() || ledger.disregards(at.id) {
                    self.end(at.id, at.moment(), ledger, facts);
                } else {
                    ledger.note_orphan();
                }
            }
            // It may follow a release, or not: after that nothing is known of it any more.
            Line::Ended(at) => {
                if ledger.phase(at.id).is_some() || ledger.disregards(at.id) {
                    self.end(at.id, at.moment(), ledger, facts);
                }
            }
            Line::ConnectFailed(failed) => self.fail(&failed, ledger, facts, admits),
            Line::Loss(loss) => return Told::Loss(loss),
            Line::Stack(stack) => {
                ledger.learn_stack(stack.id, stack.into_trace());
            }
            Line::Missing(at) => self.tables.miss(at.id),
            Line::Listener(listener) => self.listen(*listener),
            Line::State(_) => self.end_untold(line_ts, ledger, facts),
            Line::Books(books) => return Told::Books(books),
            Line::Clock(clock) => return Told::Clock(clock),
            Line::Degraded(degraded) => return Told::Degraded(degraded),
            Line::Reconciled(reconciled) => {
                if reconciled.complete {
                    self.count(ledger);
                    self.tables.agree(reconciled.traffic, ledger);
                }
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
        // Queues that are told as a whole need not be made up.
        if !self.tables.tell_listeners() && (!self.queues.is_empty() || !ledger.listeners().is_empty()) {
            let processes = &self.processes;
            let name = |process| {
                processes
                    .get(&process)
                    .map_or_else(Comm::default, |known| known.comm)
            };
            let listeners = self.queues.look(now, name);
            ledger.set_listeners(listeners);
        }
        self.forget(now, ledger);
    }

    fn open(
        &mut self,
        opened: Opened,
        ledger: &mut Ledger,
        facts: &mut Vec<Fact>,
        admits: impl Fn(&Opening) -> bool,
    ) {
        self.tables.see(opened.id);
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
                // It came about in a gap of the recording.
                Some(Phase::Connecting) => {
                    let (at, id) = (opened.ts, opened.id);
                    let kind = established(&opened);
                    ledger.apply(&Event { at, id, kind }, facts);
                }
                // The next file of a recording tells again what is open.
                Some(_) => {}
            }
            return;
        }
        self.queues.leave(opened.id);
        let at = opened.ts.earlier(opened.late);
        let kind = if before == Some(Phase::Connecting) {
            established(&opened)
        } else {
            EventKind::Opened(opening)
        };
        let id = opened.id;
        ledger.apply(&Event { at, id, kind }, facts);
    }

    fn attempt(
        &mut self,
        line: &Opened,
        ledger: &mut Ledger,
        facts: &mut Vec<Fact>,
        admits: impl Fn(&Opening) -> bool,
    ) {
        self.tables.see(line.id);
        let opening = Opening {
            connecting: true,
            ..self.opening(line)
        };
        if !admits(&opening) {
            ledger.disregard(line.id);
        } else if line.preexisting != Some(true) {
            let at = line.ts.earlier(line.late);
            let kind = EventKind::Opened(opening);
            ledger.apply(
                &Event {
                    at,
                    id: line.id,
                    kind,
                },
                facts,
            );
        } else if ledger.phase(line.id).is_none() {
            let since = line.ts.earlier(line.age.unwrap_or_default());
            ledger.find(line.id, opening, since, (Phase::Connecting, line.ts), facts);
        }
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
            stack: opened.opener(),
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
            stack: Opener::NOT_ASKED,
        };
        if !admits(&opening) {
            ledger.disregard(line.id);
            return;
        }
        self.tables.see(line.id);
        if ledger.phase(line.id).is_some() {
            return;
        }
        let since = line.ts.earlier(line.late);
        ledger.wait(line.id, opening, since, facts);
        if ledger.phase(line.id).is_some() && !self.tables.tell_listeners() {
            let ends = (line.local, line.peer);
            self.queues.enter((process, line.netns), line.id, ends, since);
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
        self.share(line.id, holders, line.ts.earlier(line.late), ledger, facts);
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

    fn fail(
        &self,
        failed: &ConnectFailed,
        ledger: &mut Ledger,
        facts: &mut Vec<Fact>,
        admits: impl Fn(&Opening) -> bool,
    ) {
        let (at, error) = (failed.ts.earlier(failed.late), failed.error);
        // An attempt that was told, and whose socket is held still.
        if let Some(id) = failed.id
            && (ledger.phase(id).is_some() || ledger.disregards(id))
        {
            let kind = EventKind::State(StateChange::Closed { error });
            ledger.apply(&Event { at, id, kind }, facts);
            return;
        }
        let process = id_of(failed.pid, failed.start);
        let opening = Opening {
            process,
            comm: self.name(process),
            direction: Direction::Outbound,
            connecting: true,
            local: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            peer: failed.peer,
            netns: 0,
            stack: Opener::NOT_ASKED,
        };
        if admits(&opening) {
            ledger.fail(opening, error, at);
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

/// What makes an attempt a connection.
fn established(opened: &Opened) -> EventKind {
    let local_port = opened.local.port();
    EventKind::State(StateChange::Established { local_port })
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

impl At {
    /// When it happened.
    fn moment(&self) -> Time {
        self.ts.earlier(self.late)
    }
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
