//! The loop that ties everything together: ring buffer, ticks, signals. All decisions are made elsewhere.

mod accounts;
mod look;
mod pipeline;
mod simulation;
mod stacks;

use std::{
    io::{IsTerminal as _, stdout},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use log::{debug, info, warn};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    analysis::Analysis,
    bpf::{
        environment,
        session::{Session, SessionError, Started},
    },
    cli::settings::Settings,
    clock::boot_time,
    exit::NotPossible,
    ingest::ring::Reader,
    output::{json::Wall, record::Books},
    record::Recorder,
    require,
    stdout::{Closed, Stdout},
};
use look::Look;
use pipeline::Pipeline;

/// How often the ring buffer is emptied when the kernel side does not ask for it.
const DRAIN_EVERY: Duration = Duration::from_millis(100);
/// How often the detector looks.
const TICK_EVERY: Duration = Duration::from_secs(1);
/// Table period on a terminal.
const TABLE_EVERY: Duration = Duration::from_secs(10);
/// How long to wait for records that are still being written, where all are needed.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long the last stacks may take to be looked up.
const LAST_LOOKS: Duration = Duration::from_secs(10);
/// Rest after a comparison with the kernel's tables, in multiples of the time it took, unless it is a regular one.
const REST: u32 = 20;
/// Records handled before anything else gets a turn.
const BATCH: usize = 16_384;

/// Traces until told to stop.
///
/// # Errors
/// What stopped it, other than a signal, the end of `--duration`, or a reader of stdout that went away.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    match watch(settings) {
        Err(error) if error.downcast_ref::<Closed>().is_some() => Ok(()),
        ended => ended.map(drop),
    }
}

/// What there is to know in the end.
pub struct Watched {
    /// What was seen.
    pub analysis: Analysis,
    /// What was lost.
    pub books: Books,
}

/// Traces until told to stop, and hands over what was seen.
///
/// # Errors
/// As [`run`], and when the reader of stdout went away.
pub fn watch(settings: &Settings) -> anyhow::Result<Watched> {
    require::privileges(&settings.session.filter)?;
    // Before the runtime starts: it must find one thread.
    if let Err(error) = environment::ensure_tracefs() {
        info!("tracefs cannot be used here: {error}");
    }
    // Before anything is attached: what is in its way is the user's to clear.
    let recorder = settings.record.clone().map(Recorder::create).transpose()?;
    let started = attach(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(trace(settings, started, recorder))
}

fn attach(settings: &Settings) -> anyhow::Result<Started> {
    let types = require::kernel_types(&settings.btf)?;
    Session::start(&types, &settings.session).map_err(|error| match error {
        SessionError::Object(_) | SessionError::NoBackend(_) => NotPossible(error.to_string()).into(),
    })
}

async fn trace(settings: &Settings, started: Started, recorder: Option<Recorder>) -> anyhow::Result<Watched> {
    let Started {
        mut session,
        ring,
        pending,
    } = started;
    // Listening for signals comes first: one that arrives from here on is not lost.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let mut kernel_log = (settings.session.log_level > 0)
        .then(|| aya_log::EbpfLogger::init(session.ebpf_mut()))
        .transpose()
        .context("kernel-side diagnostics cannot be read")?;

    let wall = Wall::new(boot_time(), SystemTime::now());
    let terminal = stdout().is_terminal();
    let mut reader = Reader::new(ring)?;
    let mut pipeline = Pipeline::new(settings, wall, boot_time(), Stdout::new()?, recorder);
    let mut look = Look::new(settings.snapshots, &session);
    let degraded = session.coverage().degraded().into_iter();
    let degraded = degraded.chain(look.degraded(&session)).collect();
    pipeline.started(&session, &look, degraded, boot_time())?;
    pipeline.take_pending(&pending);

    reconcile(&mut session, &mut look, &mut reader, &mut pipeline);
    let mut next_reconcile = ticker(settings.reconcile);
    next_reconcile.reset();
    let mut drain = ticker(DRAIN_EVERY);
    let mut tick = ticker(TICK_EVERY);
    let table_every = settings.interval.or(terminal.then_some(TABLE_EVERY));
    let mut table = ticker(table_every.unwrap_or(TABLE_EVERY));
    table.reset();
    let end = settings
        .duration
        .and_then(|duration| Instant::now().checked_add(duration));

    let mut may_reconcile = Instant::now();
    let mut more = false;
    let reason = loop {
        tokio::select! {
            // A batch at a time, so that signals and ticks have their turn even if records never stop coming.
            () = std::future::ready(()), if more => {}
            pressed = reader.pressed(), if !more => pressed.context("waiting for the ring buffer failed")?,
            _ = drain.tick() => {}
            _ = tick.tick() => {
                pipeline.tick(&mut session, boot_time())?;
                if pipeline.needs_reconciling(boot_time()) && Instant::now() >= may_reconcile {
                    let began = Instant::now();
                    reconcile(&mut session, &mut look, &mut reader, &mut pipeline);
                    next_reconcile.reset();
                    // A machine that loses events all the time must not be read all the time.
                    may_reconcile = Instant::now() + began.elapsed() * REST;
                }
                pipeline.detect(&mut session, boot_time())?;
            }
            _ = next_reconcile.tick() => reconcile(&mut session, &mut look, &mut reader, &mut pipeline),
            _ = table.tick(), if table_every.is_some() => pipeline.table(&mut session, boot_time())?,
            _ = interrupted.recv() => break "interrupted",
            _ = terminated.recv() => break "terminated",
            _ = hung_up.recv() => break "hung up",
            () = at(end) => break "finished",
        }
        more = pipeline.drain(&mut reader, BATCH);
        if let Some(log) = &mut kernel_log {
            log.flush();
        }
    };
    session.detach();
    // A program that is running on another CPU may still have something to say.
    let patience = Instant::now() + LAST_WORDS;
    while pipeline.drain(&mut reader, BATCH)
        || (pipeline.awaits_records(&session) && Instant::now() < patience)
    {}
    if settings.looks_all_up {
        pipeline.look_all_up(&mut session, boot_time() + LAST_LOOKS);
    }
    pipeline.finish(&mut session, boot_time(), reason)?;
    let books = pipeline.books(&mut session);
    let analysis = pipeline.into_analysis();
    Ok(Watched { analysis, books })
}

/// Makes the ledger agree with who holds what. What closes while the tables are read is told by the events, so these
/// are taken in first.
fn reconcile(session: &mut Session, look: &mut Look, reader: &mut Reader, pipeline: &mut Pipeline) {
    let began = boot_time();
    pipeline.begin_snapshot();
    let snapshot = look.read(session, began, |session| {
        // All that was submitted until now, and no more: new records may keep coming.
        let submitted = pipeline.submitted(session);
        let patience = Instant::now() + LAST_WORDS;
        while pipeline.received() < submitted && Instant::now() < patience {
            // Not even one: a record before it is still being written.
            if !pipeline.drain(reader, 1) {
                std::thread::yield_now();
            }
        }
        pipeline.connections()
    });
    match snapshot {
        Ok(snapshot) => {
            debug!(
                "{} held, {} waiting, {} listeners read in {:?}",
                snapshot.held.len(),
                snapshot.waiting.len(),
                snapshot.listeners.len(),
                boot_time().since(began)
            );
            pipeline.reconcile(&snapshot, boot_time());
        }
        Err(error) => {
            pipeline.abandon_snapshot();
            warn!("{error}");
        }
    }
}

fn ticker(period: Duration) -> tokio::time::Interval {
    let mut ticker = interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticker
}

async fn at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
