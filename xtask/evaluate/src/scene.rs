//! Builds a [`World`], one batch of connections after the other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tracer::model::connection::Direction;

use crate::{
    number::small,
    random::Random,
    world::{Connection, DAY, Entrance, Loss, NEVER, Process, Target, World},
};

/// The port that servers of these worlds listen on.
const PORT: u16 = 9090;
/// The default soft limit of Linux (`INR_OPEN_CUR`, `include/uapi/linux/fs.h`).
const LIMIT: u32 = 1024;

/// A world that is being made. At first there is one process, from before the tracer came to the end, that connects to
/// one peer.
pub struct Scene {
    random: Random,
    horizon: f64,
    direction: Direction,
    programs: Vec<Program>,
    rows: Vec<Row>,
    onset: Option<f64>,
    target: Option<Target>,
}

/// A program, and the lives of its processes, one after the other.
struct Program {
    comm: &'static str,
    limit: u32,
    lives: Vec<(f64, f64)>,
}

/// A connection that is being made.
pub struct Row {
    program: usize,
    peer: usize,
    opened: f64,
    closed: f64,
    entrance: Entrance,
    lost: Option<(f64, Loss)>,
    leaks: bool,
    used_for: f64,
    every: f64,
}

/// Connections that were made together. What is not said of them: they never close, are used for a second, and nothing
/// leaks.
pub struct Batch<'a>(&'a mut [Row]);

impl Scene {
    /// An empty one that lasts so long.
    pub fn new(random: Random, horizon: f64) -> Self {
        Self {
            random,
            horizon,
            direction: Direction::Outbound,
            programs: vec![Program {
                comm: "app",
                limit: LIMIT,
                lives: vec![(-DAY, NEVER)],
            }],
            rows: Vec::new(),
            onset: None,
            target: None,
        }
    }

    /// How long it lasts.
    pub fn horizon(&self) -> f64 {
        self.horizon
    }

    /// It lasts so long instead.
    pub fn lasts(&mut self, horizon: f64) {
        self.horizon = horizon;
    }

    /// The process accepts the connections that follow and those before.
    pub fn inbound(&mut self) {
        self.direction = Direction::Inbound;
    }

    /// The processes may have so many descriptors.
    pub fn limit(&mut self, limit: u32) {
        for program in &mut self.programs {
            program.limit = limit;
        }
    }

    /// The first program's processes live so long, one after the other; the first began before the tracer came.
    pub fn lives(&mut self, mut lives: Vec<(f64, f64)>) {
        if let Some((start, _)) = lives.first_mut() {
            *start = -DAY;
        }
        if let Some(program) = self.programs.first_mut() {
            program.lives = lives;
        }
    }

    /// One more program, with the limit of the first. The first one's number is 0.
    pub fn program(&mut self, comm: &'static str) -> usize {
        let limit = self.programs.first().map_or(LIMIT, |program| program.limit);
        self.programs.push(Program {
            comm,
            limit,
            lives: vec![(-DAY, NEVER)],
        });
        self.programs.len() - 1
    }

    /// The leak begins then, not with the first connection that leaks.
    pub fn onset(&mut self, at: f64) {
        self.onset = Some(at);
    }

    /// The leak must be found within this time, even if the descriptors are used up before.
    pub fn target(&mut self, within: f64) {
        self.target = Some(Target {
            within,
            wished: within,
        });
    }

    /// Within this time would be better.
    pub fn wish(&mut self, wished: f64) {
        if let Some(target) = &mut self.target {
            target.wished = wished;
        }
    }

    /// Connections that open at these times.
    pub fn open(&mut self, times: impl IntoIterator<Item = f64>) -> Batch<'_> {
        let first = self.rows.len();
        self.rows.extend(times.into_iter().map(|opened| Row {
            program: 0,
            peer: 0,
            opened,
            closed: NEVER,
            entrance: Entrance::Open,
            lost: None,
            leaks: false,
            used_for: 1.0,
            every: NEVER,
        }));
        Batch(self.rows.get_mut(first..).unwrap_or_default())
    }

    /// Connections that were open before the tracer came, for some hours at most.
    pub fn older(&mut self, count: usize) -> Batch<'_> {
        let times = self.random.moments(count, -0.4 * DAY, -1.0);
        self.open(times)
    }

    /// The world, as if there were always descriptors.
    pub fn finish(self, family: &'static str, seed: u64, leaks: bool) -> World {
        let Self {
            mut random,
            horizon,
            direction,
            programs,
            mut rows,
            onset,
            target,
        } = self;
        let mut processes = Vec::new();
        let mut lives = Vec::new();
        for program in &programs {
            lives.push((processes.len(), &program.lives));
            let base = small(random.integer(8, 24));
            processes.extend(program.lives.iter().map(|(started, ends)| Process {
                pid: 1000 + small(random.integer(0, 30_000)),
                started: *started,
                ends: *ends,
                comm: program.comm,
                limit: program.limit,
                base,
            }));
        }
        rows.retain(|row| row.opened < horizon);
        rows.sort_by(|a, b| a.opened.total_cmp(&b.opened));
        let connections: Vec<Connection> = rows
            .into_iter()
            .zip(0..)
            .filter_map(|(row, number)| {
                let (first, lives) = lives.get(row.program)?;
                let (place, (_, ends)) = lives
                    .iter()
                    .enumerate()
                    .find(|(_, (start, end))| (*start..*end).contains(&row.opened))?;
                let (local, peer) = addresses(direction, row.peer, number);
                Some(Connection {
                    process: first + place,
                    direction,
                    local,
                    peer,
                    opened: row.opened,
                    closed: row.closed.min(*ends),
                    entrance: row.entrance,
                    lost: row.lost.filter(|(at, _)| *at < row.closed.min(*ends)),
                    leaks: row.leaks,
                    used_for: row.used_for,
                    every: row.every,
                })
            })
            .collect();
        let first_leak = connections.iter().find(|connection| connection.leaks);
        let onset = leaks.then(|| {
            let first = first_leak.map_or(NEVER, |connection| connection.opened);
            onset.unwrap_or(first).max(0.0)
        });
        World {
            family,
            seed,
            horizon,
            processes,
            connections,
            onset,
            half_used: NEVER,
            exhausted: NEVER,
            target,
            // Longer than any connection is old.
            up: random.uniform(4.0, 12.0) * DAY,
            sleeps: Vec::new(),
        }
    }
}

impl Batch<'_> {
    /// They live so long.
    pub fn live(self, lives: impl FnMut() -> f64) -> Self {
        let mut lives = lives;
        self.close(|opened| opened + lives())
    }

    /// They close at a moment that depends on when they opened.
    pub fn close(self, mut closed: impl FnMut(f64) -> f64) -> Self {
        self.each(|row| row.closed = closed(row.opened).max(row.opened))
    }

    /// They should be closed and are not.
    pub fn leak(self) -> Self {
        self.each(|row| row.leaks = true)
    }

    /// They carry data again every so often.
    pub fn every(self, period: f64) -> Self {
        self.each(|row| row.every = period)
    }

    /// They carry data for so long at first.
    pub fn used(self, mut span: impl FnMut() -> f64) -> Self {
        self.each(|row| row.used_for = span())
    }

    /// The peer closes after so long.
    pub fn peer_closes(self, mut after: impl FnMut() -> f64) -> Self {
        self.each(|row| row.lost = Some((row.opened + after(), Loss::Closed)))
    }

    /// They are reset after so long.
    pub fn are_reset(self, mut after: impl FnMut() -> f64) -> Self {
        self.each(|row| row.lost = Some((row.opened + after(), Loss::Reset)))
    }

    /// Nobody accepts them.
    pub fn unaccepted(self) -> Self {
        self.each(|row| row.entrance = Entrance::Unaccepted)
    }

    /// Nobody answers them.
    pub fn unanswered(self) -> Self {
        self.each(|row| row.entrance = Entrance::Unanswered)
    }

    /// Their peers are these, by number.
    pub fn with(self, mut peer: impl FnMut() -> usize) -> Self {
        self.each(|row| row.peer = peer())
    }

    /// They are this program's.
    pub fn of(self, mut program: impl FnMut() -> usize) -> Self {
        self.each(|row| row.program = program())
    }

    fn each(self, change: impl FnMut(&mut Row)) -> Self {
        self.0.iter_mut().for_each(change);
        self
    }
}

/// Both ends of a connection. The server has one port, each connection a client's port of its own for as long as there
/// are any.
fn addresses(direction: Direction, peer: usize, number: usize) -> (SocketAddr, SocketAddr) {
    let [_, high, middle, low] = small(peer + 1).to_be_bytes();
    let peer = IpAddr::V4(Ipv4Addr::new(10, high, middle, low));
    let local = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let client = 32_768 + u16::try_from(number % 28_232).unwrap_or_default();
    let (local_port, peer_port) = match direction {
        Direction::Outbound => (client, PORT),
        Direction::Inbound => (PORT, client),
    };
    (
        SocketAddr::new(local, local_port),
        SocketAddr::new(peer, peer_port),
    )
}
