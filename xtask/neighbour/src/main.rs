//! The neighbours of a leak: programs that hold connections in healthy ways, and one that does not.
//!
//! `cargo xtask neighbours` runs them beside real servers. This file is the command line only.

mod leak;
mod long_poll;
mod pool;
mod reconnect;
mod service;
mod visitors;

use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use service::{Protocol, Service};

/// Healthy neighbours of a leak, and a leak.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Hard stop after this time
    #[arg(long = "for", global = true, default_value = "10m", value_parser = bounded_duration)]
    lifetime: Duration,
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serve long polls: each request is answered when there is news
    LongPoll {
        /// Loopback address to listen on
        #[arg(long, value_parser = loopback_address)]
        listen: SocketAddr,
    },
    /// Visitors who come over minutes, poll for a while, go, and come again
    Visitors {
        #[command(flatten)]
        service: ServiceArgs,
        /// How many there are
        #[arg(long, default_value_t = 60)]
        visitors: u16,
        /// Longest time that one is away
        #[arg(long, default_value = "4m", value_parser = bounded_duration)]
        away: Duration,
        /// Shortest stay
        #[arg(long, default_value = "1m", value_parser = bounded_duration)]
        shortest: Duration,
        /// Longest stay
        #[arg(long, default_value = "8m", value_parser = bounded_duration)]
        longest: Duration,
    },
    /// A pool that opens connections as they are wanted, and keeps them
    Pool {
        #[command(flatten)]
        service: ServiceArgs,
        /// Connections at the start
        #[arg(long, default_value_t = 2)]
        first: u16,
        /// Connections in the end
        #[arg(long, default_value_t = 20)]
        size: u16,
        /// Time from the first to the last
        #[arg(long, default_value = "3m", value_parser = bounded_duration)]
        grow: Duration,
    },
    /// A client whose connections live for seconds, each followed by another
    Reconnect {
        #[command(flatten)]
        service: ServiceArgs,
        /// Connections at a time
        #[arg(long, default_value_t = 5)]
        connections: u16,
        /// How long one lives, on average
        #[arg(long, default_value = "4s", value_parser = bounded_duration)]
        live: Duration,
    },
    /// A client that opens connections, uses each once, and closes none
    Leak {
        #[command(flatten)]
        service: ServiceArgs,
        /// Time from one to the next
        #[arg(long, default_value = "2s", value_parser = bounded_duration)]
        every: Duration,
        /// Open no more once this many are open
        // Below the usual limit of 1024 open files: running out of them would end the leak with an error.
        #[arg(long, default_value_t = 900)]
        max_open: usize,
    },
}

#[derive(Debug, Args)]
struct ServiceArgs {
    /// What the server speaks
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// Loopback address of the server
    #[arg(long, value_parser = loopback_address)]
    target: SocketAddr,
    /// Local address to connect from
    #[arg(long)]
    source: Option<IpAddr>,
}

impl From<ServiceArgs> for Service {
    fn from(args: ServiceArgs) -> Self {
        Self {
            protocol: args.protocol,
            target: args.target,
            source: args.source,
        }
    }
}

/// A program that leaks connections has no business off this machine.
fn loopback_address(text: &str) -> anyhow::Result<SocketAddr> {
    let address: SocketAddr = text.parse()?;
    anyhow::ensure!(
        address.ip().is_loopback(),
        "{} is not a loopback address",
        address.ip()
    );
    Ok(address)
}

/// The longest of any time on the command line: nothing here may run for longer, and tokio's clock cannot overflow.
const LONGEST: Duration = Duration::from_hours(24);

/// A zero interval makes no sense, and tokio's timer panics on it.
fn bounded_duration(text: &str) -> anyhow::Result<Duration> {
    let duration = humantime::parse_duration(text)?;
    anyhow::ensure!(
        !duration.is_zero() && duration <= LONGEST,
        "must be longer than zero and at most a day"
    );
    Ok(duration)
}

/// The name that tracer, `ss` and `ps` show: 15 bytes at most.
fn process_name(role: &Role) -> &'static CStr {
    match role {
        Role::LongPoll { .. } => c"long-poll",
        Role::Visitors { .. } => c"visitors",
        Role::Pool { .. } => c"pool",
        Role::Reconnect { .. } => c"reconnect",
        Role::Leak { .. } => c"leak",
    }
}

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    // The main thread's name is the process's.
    rustix::thread::set_name(process_name(&cli.role)).context("cannot set the process name")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        // Being out of time is how a role ends well: none has an end of its own.
        match tokio::time::timeout(cli.lifetime, run(cli.role)).await {
            Ok(ended) => ended,
            Err(_elapsed) => Ok(()),
        }
    })
}

async fn run(role: Role) -> anyhow::Result<()> {
    match role {
        Role::LongPoll { listen } => long_poll::serve(listen).await,
        Role::Visitors {
            service,
            visitors,
            away,
            shortest,
            longest,
        } => {
            let habits = visitors::Habits::new(away, shortest, longest)?;
            visitors::run(service.into(), visitors, habits).await
        }
        Role::Pool {
            service,
            first,
            size,
            grow,
        } => pool::run(&service.into(), pool::Growth { first, size, grow }).await,
        Role::Reconnect {
            service,
            connections,
            live,
        } => reconnect::run(service.into(), connections, live).await,
        Role::Leak {
            service,
            every,
            max_open,
        } => leak::run(&service.into(), every, max_open).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_spoken_to() {
        assert!(loopback_address("127.0.0.1:6379").is_ok());
        assert!(loopback_address("[::1]:6379").is_ok());
        for elsewhere in [
            "10.0.0.1:6379",
            "0.0.0.0:6379",
            "[::ffff:10.0.0.1]:1",
            "127.0.0.1",
        ] {
            assert!(loopback_address(elsewhere).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn times_are_bounded() {
        assert_eq!(bounded_duration("90s").ok(), Some(Duration::from_secs(90)));
        for wrong in ["0s", "25h", "", "5"] {
            assert!(bounded_duration(wrong).is_err(), "{wrong}");
        }
    }
}
