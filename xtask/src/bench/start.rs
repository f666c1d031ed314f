//! How long it takes until the tracer knows what is open: `tracer list` on a machine with many open sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::process;
use crate::program::{self, Linking};

/// Connections that a process holds, both ends: so many descriptors that a usual limit allows them.
const OF_ONE: u32 = 5_000;

/// What is measured.
#[derive(Args)]
pub(crate) struct Settings {
    /// Sockets that are open meanwhile
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(2..=200_000))]
    sockets: u32,
    /// How often it is started
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
}

/// A process that holds connections until its stdin ends.
struct Holder(Child);

pub(super) fn run(settings: &Settings) -> Result<()> {
    ensure!(process::is_root(), "the tracer needs root");
    let program = program::build(Linking::Dynamic)?;
    let mut left = settings.sockets / 2;
    let mut holders = Vec::new();
    while left > 0 {
        let part = left.min(OF_ONE);
        holders.push(Holder::start(part)?);
        left -= part;
    }
    let pids: Vec<String> = holders.iter().map(|holder| holder.0.id().to_string()).collect();
    let mut took = Vec::new();
    for _ in 0..settings.times {
        let mut command = Command::new(&program);
        command.args(["list", "--output", "json"]);
        for pid in &pids {
            command.args(["--pid", pid]);
        }
        let began = Instant::now();
        let output = process::capture(&mut command)?;
        took.push(began.elapsed());
        ensure!(
            output.status.success(),
            "tracer list failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let open = open_in(&output.stdout).context("tracer list told no total")?;
        let expected = u64::from(settings.sockets / 2 * 2);
        ensure!(
            open == expected,
            "tracer list told {open} open sockets of {expected}"
        );
    }
    took.sort_unstable();
    let millis = |place: usize| took.get(place).map_or(0.0, Duration::as_secs_f64) * 1000.0;
    println!(
        "tracer list, {} open sockets, {} runs: fastest {:.0} ms, median {:.0} ms, slowest {:.0} ms",
        settings.sockets,
        took.len(),
        millis(0),
        millis(took.len() / 2),
        millis(took.len() - 1)
    );
    Ok(())
}

/// What is open by the last line that tells it.
fn open_in(stdout: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(stdout);
    text.lines().rev().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line.pointer("/connections")?.as_u64()
    })
}

/// Holds so many connections, both ends, until stdin ends.
pub(super) fn hold(connections: u32) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
    let target = listener.local_addr()?;
    let mut held = Vec::new();
    for _ in 0..connections {
        let client = TcpStream::connect(target).context("cannot connect")?;
        held.push((client, listener.accept().context("cannot accept")?));
    }
    println!("held");
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

impl Holder {
    fn start(connections: u32) -> Result<Self> {
        let own = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(own)
            .args(["bench", "hold", &connections.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a process that holds connections")?;
        let stdout = child.stdout.take().context("it has no stdout")?;
        let holder = Self(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.trim() == "held", "a process that holds connections failed");
        Ok(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Its stdin ends, and so does it.
        self.0.stdin.take();
        let _: std::io::Result<_> = self.0.wait();
    }
}
