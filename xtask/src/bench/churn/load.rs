//! The load: two threads, each of which holds both ends of its connections and makes one after the other.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// As many as there are processors on the smallest machine that this is measured on.
const THREADS: u32 = 2;
/// Fewer than ports that are free again after the second that loopback waits (`tcp_tw_reuse`,
/// `Documentation/networking/ip-sysctl.rst`).
const MOST_PER_SECOND: u32 = 20_000;

/// Where connections go.
pub(super) struct Load {
    listeners: Vec<(TcpListener, SocketAddr)>,
    /// From one connection of a thread to its next.
    every: Duration,
    is_paced: bool,
}

/// What a run made.
#[derive(Serialize)]
pub(super) struct Made {
    pub(super) connections: u32,
    pub(super) per_second: f64,
    /// Processor time of this process for each connection: softirqs and hooks in its context included.
    pub(super) processor_us: f64,
    /// From `socket` to the second `close`.
    pub(super) median_us: f64,
    pub(super) p99_us: f64,
}

impl Load {
    /// Listens.
    pub(super) fn new(rate: Option<u32>) -> Result<Self> {
        let listeners = (0..THREADS).map(|_| {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
            let target = listener.local_addr()?;
            Ok((listener, target))
        });
        Ok(Self {
            listeners: listeners.collect::<Result<_>>()?,
            every: Duration::from_secs(1) * THREADS / rate.unwrap_or(MOST_PER_SECOND),
            is_paced: rate.is_some(),
        })
    }

    /// Where the threads listen.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.listeners.iter().map(|(_, target)| target.port())
    }

    /// Makes connections for that long; never more than [`MOST_PER_SECOND`].
    pub(super) fn run(&self, span: Duration) -> Result<Made> {
        let began = Instant::now();
        let processor = processor_time();
        let took = thread::scope(|scope| {
            let threads: Vec<_> = self
                .listeners
                .iter()
                .map(|(listener, target)| scope.spawn(|| self.one_thread(listener, *target, span)))
                .collect();
            let joined = threads.into_iter().map(|thread| {
                thread
                    .join()
                    .map_err(|_| anyhow!("a thread of the load panicked"))?
            });
            joined.collect::<Result<Vec<_>>>()
        })?;
        let elapsed = began.elapsed().as_secs_f64();
        let processor = processor_time().saturating_sub(processor);
        let mut took = took.concat();
        took.sort_unstable();
        let connections = u32::try_from(took.len())?;
        let micros = |span: Duration| span.as_secs_f64() * 1e6;
        let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
        Ok(Made {
            connections,
            per_second: f64::from(connections) / elapsed,
            processor_us: micros(processor) / f64::from(connections.max(1)),
            median_us: micros(at(50)),
            p99_us: micros(at(99)),
        })
    }

    fn one_thread(
        &self,
        listener: &TcpListener,
        target: SocketAddr,
        span: Duration,
    ) -> Result<Vec<Duration>> {
        let began = Instant::now();
        let mut took = Vec::new();
        let mut next = began;
        while began.elapsed() < span {
            let start = Instant::now();
            let client = TcpStream::connect(target).context("cannot connect")?;
            let (server, _) = listener.accept().context("cannot accept")?;
            drop(client);
            drop(server);
            took.push(start.elapsed());
            next += self.every;
            // Unpaced, it waits only where it would run out of ports.
            if let Some(early) = next.checked_duration_since(Instant::now())
                && (self.is_paced || early > Duration::from_millis(100))
            {
                thread::sleep(early);
            }
        }
        Ok(took)
    }
}

/// Of all threads of this process.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
