//! The founding incident, replayed as programs: a gRPC server with few file descriptors, the controller that leaks
//! connections to it, the same controller cured, and the one-shot client that was always innocent.
//!
//! This file is the command line only.

mod accept;
mod client;
mod controller;
mod dial;
mod limits;
mod output;
mod server;
mod socket;
mod stop;

use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

/// The founding incident of tracer: a server that freezes because a client never closes its connections.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serve the gRPC health service with a low limit of open files
    Server(ServerArgs),
    /// Open channels in every reconcile loop and never close them
    Controller(ControllerArgs),
    /// Make one connection, one health check, close, exit
    Client(DialArgs),
}

#[derive(Debug, Args)]
struct ServerArgs {
    /// Loopback address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9090", value_parser = loopback_address)]
    listen: SocketAddr,
    /// Soft and hard limit of open files to run with; it can only be lowered
    // Below 16 the runtime itself does not come up.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(16..=65_536))]
    nofile: u64,
    /// Hard stop after this time
    #[arg(long = "for", default_value = "10m", value_parser = bounded_duration)]
    lifetime: Duration,
}

#[derive(Debug, Args)]
struct ControllerArgs {
    #[command(flatten)]
    dial: DialArgs,
    /// Time from one reconcile loop to the next
    #[arg(long, default_value = "1s", value_parser = bounded_duration)]
    every: Duration,
    /// Channels opened in each loop, one TCP connection each
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    channels: u16,
    /// Number of loops; the leaking variant then holds its connections until it is stopped
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    loops: Option<u64>,
    /// Open no more channels once this many are open
    // Below the usual soft limit of 1024 files: the server must be what runs out, not the controller.
    #[arg(long, default_value_t = 1000)]
    max_open: usize,
    /// Close the channels at the end of each loop: the cure
    #[arg(long)]
    fixed: bool,
    /// Hard stop after this time
    #[arg(long = "for", default_value = "10m", value_parser = bounded_duration)]
    lifetime: Duration,
}

#[derive(Debug, Args)]
struct DialArgs {
    /// Loopback address of the server
    #[arg(long, default_value = "127.0.0.1:9090", value_parser = loopback_address)]
    target: SocketAddr,
    /// Local address to connect from
    #[arg(long)]
    source: Option<IpAddr>,
    /// Longest time for connecting one channel
    #[arg(long, default_value = "5s", value_parser = bounded_duration)]
    connect_timeout: Duration,
    /// Longest time for one health check
    #[arg(long, default_value = "2s", value_parser = bounded_duration)]
    call_timeout: Duration,
}

impl From<DialArgs> for dial::Dialer {
    fn from(args: DialArgs) -> Self {
        Self::new(args.target, args.source, args.connect_timeout, args.call_timeout)
    }
}

/// A program that exhausts servers has no business off this machine.
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

/// A zero interval or timeout makes no sense, and tokio's timer panics on a zero interval.
fn bounded_duration(text: &str) -> anyhow::Result<Duration> {
    let duration = humantime::parse_duration(text)?;
    anyhow::ensure!(
        !duration.is_zero() && duration <= LONGEST,
        "must be longer than zero and at most a day"
    );
    Ok(duration)
}

/// Gives the process the name that tracer, `ss` and `ps` show; the main thread's name is the process's.
fn set_process_name(name: &CStr) -> anyhow::Result<()> {
    rustix::thread::set_name(name).context("cannot set the process name")
}

fn main() -> ExitCode {
    match start(Cli::parse().role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, as a user of such a program would see it, whatever RUST_BACKTRACE says.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(role: Role) -> anyhow::Result<()> {
    set_process_name(match role {
        Role::Server(_) => c"grpc-server",
        Role::Controller(_) => c"controller",
        Role::Client(_) => c"one-shot",
    })?;
    if let Role::Server(args) = &role {
        limits::lower_open_files(args.nofile)?;
    }
    // One thread: the process then has one comm, and a file count that does not depend on the machine's cores.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(run(role))
}

async fn run(role: Role) -> anyhow::Result<()> {
    match role {
        Role::Server(args) => server::run(args.listen, args.lifetime).await,
        Role::Controller(args) => {
            let plan = controller::Plan {
                every: args.every,
                channels: args.channels,
                loops: args.loops,
                max_open: args.max_open,
                fixed: args.fixed,
                lifetime: args.lifetime,
            };
            controller::run(args.dial.into(), plan).await
        }
        Role::Client(args) => client::run(&args.into()).await,
    }
}
