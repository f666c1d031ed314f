//! The clients: how many connections each holds, and for how long.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::child::{self, Child};
use super::roles::Roles;
use super::servers::Server;
use super::stop::Stop;
use super::verdict::{Check, Culprit, Told, connections_seen};
use crate::process;

/// Connections of the warm pool.
const WARM_POOL: u32 = 40;
/// Connections of the pool that fills while it is watched.
const FILLING_POOL: u32 = 20;
/// Connections of the Redis pool.
const REDIS_POOL: u32 = 10;
/// Connections that are replaced every few seconds.
const RECONNECTING: u32 = 5;
/// The longest that one of these may live, with time to spare.
const RECONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// Visitors of the long-polling server.
const VISITORS: u32 = 60;
/// Connections that wrk keeps alive.
const KEEP_ALIVE: u32 = 100;
/// How long it does, and how long it then pauses.
const ROUND: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(10);
/// Time from one leaked connection to the next.
const LEAK_EVERY: &str = "2s";
/// Where the leak connects from, and nobody else: servers know their clients by address.
const LEAK_SOURCE: &str = "127.0.0.9";
/// Seconds that pgbench runs at most, whatever becomes of us.
const LIFETIME: &str = "10800";

/// The kernel's table of TCP sockets.
const TCP_TABLE: &str = "/proc/net/tcp";
/// How long a warm pool may take to connect. Others may be busy on this machine.
const CONNECTS_WITHIN: Duration = Duration::from_secs(30);

/// The healthy clients while they run.
pub(super) struct Clients<'a> {
    roles: &'a Roles,
    logs: &'a Path,
    children: Vec<Child>,
    keep_alive: Rounds,
}

impl<'a> Clients<'a> {
    /// Starts those that are older than the tracer: the warm pools.
    pub(super) fn warm(programs: &'a super::Programs, logs: &'a Path, stop: &Stop) -> Result<Self> {
        let pgbench = &programs.servers.pgbench;
        let mut set_up = pgbench_at(pgbench);
        process::stdout_of(
            set_up.args(["-i", "-q", "-s", "1", "postgres"]),
            "filling PostgreSQL",
        )?;
        let mut clients = Self {
            roles: &programs.roles,
            logs,
            children: Vec::new(),
            keep_alive: Rounds::new(programs.servers.wrk.clone(), logs.to_owned()),
        };
        let mut warm = pgbench_at(pgbench);
        warm.args([
            "-n", "-S", "-M", "prepared", "-j", "1", "-R", "40", "-T", LIFETIME,
        ])
        .args(["-c", &WARM_POOL.to_string(), "postgres"]);
        let warm = Child::start("pgbench", &mut warm, logs)?;
        clients.add_once_connected(warm, Server::Postgres, WARM_POOL, stop)?;
        let pool = clients.start(
            "redis-pool",
            &format!("pool --protocol redis --first {REDIS_POOL} --size {REDIS_POOL}"),
            Server::Redis,
        )?;
        clients.add_once_connected(pool, Server::Redis, REDIS_POOL, stop)?;
        Ok(clients)
    }

    /// Adds a client when it has as many connections: what is slow to connect would do so before the tracer's eyes.
    fn add_once_connected(
        &mut self,
        mut child: Child,
        server: Server,
        count: u32,
        stop: &Stop,
    ) -> Result<()> {
        let are_there = || {
            let table = fs::read_to_string(TCP_TABLE).with_context(|| format!("cannot read {TCP_TABLE}"))?;
            Ok(established_to(server.port(), &table) >= count)
        };
        child.wait_until("is connected", CONNECTS_WITHIN, stop, are_there)?;
        self.children.push(child);
        Ok(())
    }

    /// Starts those that come while the tracer watches, with habits in proportion to how long it does.
    pub(super) fn join(&mut self, length: Duration) -> Result<()> {
        let share = |tenths: u32| format!("{}s", (length * tenths / 10).as_secs());
        self.add(
            "postgres-pool",
            &format!(
                "pool --protocol postgres --first 2 --size {FILLING_POOL} --grow {}",
                share(3)
            ),
            Server::Postgres,
        )?;
        self.add(
            "visitors",
            &format!(
                "visitors --protocol http --visitors {VISITORS} --away {} --shortest {} --longest {}",
                share(4),
                share(1),
                share(8)
            ),
            Server::LongPoll,
        )?;
        self.add(
            "redis-reconnect",
            &format!("reconnect --protocol redis --connections {RECONNECTING} --live 4s"),
            Server::Redis,
        )
    }

    fn add(&mut self, name: &'static str, role: &str, server: Server) -> Result<()> {
        let child = self.start(name, role, server)?;
        self.children.push(child);
        Ok(())
    }

    fn start(&self, name: &'static str, role: &str, server: Server) -> Result<Child> {
        let mut command = self.roles.command(role);
        command.args(["--target", &server.address().to_string()]);
        Child::start(name, &mut command, self.logs)
    }

    /// Fails if one has ended; starts the next round.
    pub(super) fn look_after(&mut self) -> Result<()> {
        self.children.iter_mut().try_for_each(Child::look_after)?;
        self.keep_alive.look_after()
    }

    /// Whether the tracer has seen the load that was meant: quiet about nothing would be no achievement.
    pub(super) fn held_as_meant(&self, told: &Told, length: Duration) -> Vec<Check> {
        let reconnects = length.as_secs() / RECONNECTS_WITHIN.as_secs();
        let reconnects = u64::from(RECONNECTING) * reconnects;
        let at_least = |server| match server {
            Server::Postgres => u64::from(WARM_POOL + FILLING_POOL),
            Server::Nginx => u64::from(KEEP_ALIVE) * self.keep_alive.played,
            Server::LongPoll => u64::from(VISITORS),
            Server::Redis => u64::from(REDIS_POOL) + reconnects,
        };
        let seen = |server: Server| connections_seen(told, server.name(), server.port(), at_least(server));
        Server::ALL.map(seen).into()
    }
}

/// Keep-alive load in rounds: the connections of each close at its end.
struct Rounds {
    wrk: PathBuf,
    logs: PathBuf,
    playing: Option<Child>,
    next: Instant,
    /// Rounds that are over.
    played: u64,
}

impl Rounds {
    fn new(wrk: PathBuf, logs: PathBuf) -> Self {
        Self {
            wrk,
            logs,
            playing: None,
            next: Instant::now(),
            played: 0,
        }
    }

    fn look_after(&mut self) -> Result<()> {
        if let Some(wrk) = &mut self.playing {
            if wrk.is_done()? {
                self.playing = None;
                self.played += 1;
                self.next = Instant::now() + PAUSE;
            }
        } else if Instant::now() >= self.next {
            let mut command = child::client(&self.wrk);
            command
                .args(["--threads", "1", "--connections", &KEEP_ALIVE.to_string()])
                .args(["--duration", &format!("{}s", ROUND.as_secs()), "--timeout", "20s"])
                .arg(format!("http://{}/slow", Server::Nginx.address()));
            self.playing = Some(Child::start("wrk", &mut command, &self.logs)?);
        }
        Ok(())
    }
}

/// The client that leaks.
pub(super) struct Leak {
    child: Child,
    begun: Duration,
}

impl Leak {
    /// Starts it, so long after the tracer was attached.
    pub(super) fn start(roles: &Roles, server: Server, begun: Duration, logs: &Path) -> Result<Self> {
        let protocol = match server {
            Server::Postgres => "postgres",
            Server::Nginx | Server::LongPoll => "http",
            Server::Redis => "redis",
        };
        let mut command = roles.command(&format!(
            "leak --protocol {protocol} --every {LEAK_EVERY} --source {LEAK_SOURCE} --target {}",
            server.address()
        ));
        Ok(Self {
            child: Child::start("leak", &mut command, logs)?,
            begun,
        })
    }

    /// Fails if it has ended.
    pub(super) fn look_after(&mut self) -> Result<()> {
        self.child.look_after()
    }

    /// How to know it among the findings.
    pub(super) fn culprit(&self) -> Culprit {
        Culprit {
            pid: self.child.pid(),
            source: LEAK_SOURCE,
            begun: self.begun,
        }
    }
}

fn pgbench_at(pgbench: &Path) -> Command {
    let mut command = child::client(pgbench);
    let port = Server::Postgres.port().to_string();
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port]);
    command
}

/// How many connections to this port are established, by a table like `/proc/net/tcp`
/// (`net/ipv4/tcp_ipv4.c`, `get_tcp4_sock`).
fn established_to(port: u16, table: &str) -> u32 {
    let port = format!(":{port:04X}");
    let is_counted = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        let (remote, state) = (fields.next(), fields.next());
        remote.is_some_and(|remote| remote.ends_with(&port)) && state == Some("01")
    };
    table.lines().filter(is_counted).map(|_| 1).sum()
}

#[cfg(test)]
mod tests {
    use super::established_to;

    #[test]
    fn only_connections_that_are_established_count_and_at_their_client() {
        let table =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:670B 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 1
   1: 0100007F:9C40 0100007F:670B 01 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0100007F:670B 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 65534        0 3
   3: 0100007F:9C41 0100007F:670B 06 00000000:00000000 00:00000000 00000000     0        0 0
   4: 0100007F:9C42 0100007F:670B 01 00000000:00000000 00:00000000 00000000     0        0 4
   5: 0100007F:9C43 0100007F:670C 01 00000000:00000000 00:00000000 00000000     0        0 5
";
        assert_eq!(established_to(0x670b, table), 2);
        assert_eq!(established_to(0x670b, ""), 0);
    }
}
