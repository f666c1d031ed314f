//! The servers: each with its own configuration and port, on loopback, without any rights.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use super::child::{self, Child, NOBODY};
use super::log_of;
use super::roles::Roles;
use super::scratch::Scratch;
use super::stop::Stop;
use crate::{apt, process};

/// How long a server may take to come up. Others may be busy on this machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A server, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Server {
    /// `PostgreSQL`
    Postgres,
    /// nginx
    Nginx,
    /// The long-polling one
    LongPoll,
    /// Redis
    Redis,
}

impl Server {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Postgres, Self::Nginx, Self::LongPoll, Self::Redis];

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nginx => "nginx",
            Self::LongPoll => "long-poll",
            Self::Redis => "redis",
        }
    }

    /// Its port: below the usual range of ports that the kernel picks from, and not the one that others use.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Postgres => 25_432,
            Self::Nginx => 28_080,
            Self::LongPoll => 28_081,
            Self::Redis => 26_379,
        }
    }

    /// Where it listens.
    pub(super) fn address(self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port())
    }
}

/// The programs of others that take part.
pub(super) struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    pub(super) pgbench: PathBuf,
    nginx: PathBuf,
    redis: PathBuf,
    pub(super) wrk: PathBuf,
}

impl Programs {
    /// Finds them, and installs what is missing.
    pub(super) fn provide() -> Result<Self> {
        Ok(Self {
            initdb: provide("initdb", "postgresql")?,
            postgres: provide("postgres", "postgresql")?,
            pgbench: provide("pgbench", "postgresql")?,
            nginx: provide("nginx", "nginx")?,
            redis: provide("redis-server", "redis-server")?,
            wrk: provide("wrk", "wrk")?,
        })
    }
}

fn provide(program: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    apt::install(&[package], "the neighbours")?;
    find(program).with_context(|| format!("the package `{package}` brought no program `{program}`"))
}

fn find(program: &str) -> Option<PathBuf> {
    process::find_in(program, postgres_directories()).or_else(|| process::find_on_path(program))
}

/// Debian keeps the programs of each version of `PostgreSQL` in a directory of its own, off PATH, and puts a wrapper
/// on PATH for some of them. The newest version first.
fn postgres_directories() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    found.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

/// The servers while they run.
pub(super) struct Servers {
    children: Vec<Child>,
    // Below them: it goes when they have ended.
    scratch: Scratch,
}

impl Servers {
    /// Starts all of them and waits until they serve.
    pub(super) fn start(programs: &super::Programs, logs: &Path, stop: &Stop) -> Result<Self> {
        for server in Server::ALL {
            ensure!(
                TcpListener::bind(server.address()).is_ok(),
                "port {} is in use on this machine: stop what listens there, it is {}'s",
                server.port(),
                server.name()
            );
        }
        let scratch = Scratch::new(NOBODY)?;
        let mut servers = Self {
            children: Vec::new(),
            scratch,
        };
        let data = servers.scratch.path().to_owned();
        for server in Server::ALL {
            let mut command = match server {
                Server::Postgres => postgres(&programs.servers, &data)?,
                Server::Nginx => nginx(&programs.servers, &data)?,
                Server::LongPoll => long_poll(&programs.roles),
                Server::Redis => redis(&programs.servers, &data),
            };
            let mut child = Child::start(server.name(), &mut command, logs)?;
            let log = log_of(logs, server.name());
            child.wait_until("serves", READY_WITHIN, stop, || serves(server, &log))?;
            servers.children.push(child);
        }
        Ok(servers)
    }

    /// Fails if one has ended.
    pub(super) fn look_after(&mut self) -> Result<()> {
        self.children.iter_mut().try_for_each(Child::look_after)
    }
}

fn serves(server: Server, log: &Path) -> Result<bool> {
    // PostgreSQL accepts before it serves; it says when it does.
    if server == Server::Postgres {
        let log = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
        return Ok(String::from_utf8_lossy(&log).contains("ready to accept connections"));
    }
    Ok(TcpStream::connect(server.address()).is_ok())
}

fn postgres(programs: &Programs, data: &Path) -> Result<Command> {
    let cluster = data.join("postgres");
    let mut initdb = child::server(&programs.initdb);
    initdb
        .args([
            "--auth=trust",
            "--username=postgres",
            "--locale=C",
            "--encoding=UTF8",
        ])
        .arg("--no-sync")
        .arg("--pgdata")
        .arg(&cluster);
    process::stdout_of(&mut initdb, "setting up PostgreSQL")?;
    let mut command = child::server(&programs.postgres);
    command
        .arg("-D")
        .arg(&cluster)
        .args(["-h", "127.0.0.1", "-p", &Server::Postgres.port().to_string()])
        .args([
            "-c",
            "unix_socket_directories=",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=1000",
        ]);
    Ok(command)
}

fn nginx(programs: &Programs, data: &Path) -> Result<Command> {
    let home = data.join("nginx");
    fs::create_dir(&home).with_context(|| format!("cannot create {}", home.display()))?;
    std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).context("cannot give nginx its directory")?;
    let path = home.join("nginx.conf");
    fs::write(&path, nginx_conf(Server::Nginx.port()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = child::server(&programs.nginx);
    command
        .arg("-p")
        .arg(&home)
        .arg("-c")
        .arg(&path)
        .args(["-e", "stderr"]);
    Ok(command)
}

/// `/slow` takes two seconds for its kilobyte, so that keep-alive load needs many connections and little of the
/// processor. Relative paths are below `-p`.
fn nginx_conf(port: u16) -> String {
    let body = "0123456789abcdef".repeat(64);
    format!(
        "daemon off;
worker_processes 2;
pid nginx.pid;
events {{ worker_connections 2000; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        location /slow {{ limit_rate 512; return 200 {body}; }}
        location / {{ return 200 here; }}
    }}
}}
"
    )
}

fn long_poll(roles: &Roles) -> Command {
    roles.command(&format!("long-poll --listen {}", Server::LongPoll.address()))
}

fn redis(programs: &Programs, data: &Path) -> Command {
    let mut command = child::server(&programs.redis);
    command
        .args(["--bind", "127.0.0.1", "--port", &Server::Redis.port().to_string()])
        // Redis calls only one address of loopback local; the leak comes from another.
        .args(["--protected-mode", "no"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(data);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_not_the_kernels_to_pick() {
        let mut ports = Server::ALL.map(Server::port);
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ports.iter().all(|port| (1024..32_768).contains(port)));
    }

    #[test]
    fn the_configuration_of_nginx_is_balanced() {
        let conf = nginx_conf(1);
        assert_eq!(conf.matches('{').count(), conf.matches('}').count());
        assert!(conf.contains("listen 127.0.0.1:1;"));
    }
}
