//! A leak among healthy neighbours, live: the tracer must keep quiet beside them, and find exactly the leak.
//!
//! Real servers (`PostgreSQL`, nginx, Redis, a long-polling one) under load that holds connections in healthy ways:
//! a warm pool, one that fills, keep-alive in rounds, visitors who stay for minutes, reconnects. The scene is played
//! without a leak and with one; what the tracer tells decides.

mod child;
mod clients;
mod roles;
mod scratch;
mod servers;
mod stop;
mod tracing;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, ensure};
use clap::{Args, ValueEnum};

use crate::paths;
use crate::process::{self, say};
use crate::program::{self, Linking};
use clients::{Clients, Leak};
use roles::Roles;
use servers::{Server, Servers};
use stop::Stop;
use tracing::Tracer;
use verdict::Check;

/// How often everything is looked after.
const TICK: Duration = Duration::from_millis(200);

/// What is played.
#[derive(Args)]
pub(crate) struct Settings {
    /// Minutes that a scene is watched; the habits of the clients are in proportion
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=120))]
    minutes: u32,
    /// Play one scene; default: both, one after the other
    #[arg(long, value_enum)]
    only: Option<Scene>,
    /// The server that the leak connects to
    #[arg(long, value_enum, default_value_t = Server::Redis)]
    leak_to: Server,
    /// A tracer that is built already
    #[arg(long, value_name = "PATH")]
    tracer: Option<PathBuf>,
}

/// With or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// Healthy neighbours only
    Healthy,
    /// The same, and one client that leaks
    Leaking,
}

impl Scene {
    fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Leaking => "leaking",
        }
    }
}

/// The programs that take part.
struct Programs {
    tracer: PathBuf,
    roles: Roles,
    servers: servers::Programs,
}

/// Plays the scenes and fails if the tracer said too much or too little.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    ensure!(
        process::is_root(),
        "the neighbours are traced, so this must run as root"
    );
    let programs = Programs {
        servers: servers::Programs::provide()?,
        roles: Roles::build()?,
        tracer: match &settings.tracer {
            Some(built) => built.clone(),
            None => program::build(Linking::Dynamic)?,
        },
    };
    let stop = Stop::on_signals()?;
    let scenes = settings
        .only
        .map_or_else(|| vec![Scene::Healthy, Scene::Leaking], |scene| vec![scene]);
    let mut all = Vec::new();
    for scene in scenes {
        let checks = play(scene, settings, &programs, &stop).or_else(|error| {
            // One scene says something without the other.
            stop.check()?;
            Ok::<_, Error>(vec![Check::cannot_be_made(&error)])
        })?;
        for check in &checks {
            let mark = if check.holds { "ok    " } else { "FAILED" };
            println!("{mark} {}: {}", scene.name(), check.text);
        }
        all.extend(checks);
    }
    let failed = all.iter().filter(|check| !check.holds).count();
    ensure!(failed == 0, "{failed} of {} checks failed", all.len());
    say(format_args!("all {} checks hold", all.len()));
    Ok(())
}

/// One scene, from the start of its servers to their end.
fn play(scene: Scene, settings: &Settings, programs: &Programs, stop: &Stop) -> Result<Vec<Check>> {
    let logs = paths::target().join("neighbours").join(scene.name());
    fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
    let length = Duration::from_mins(1) * settings.minutes;
    say(format_args!(
        "scene {}: {} min; logs and the tracer's records are in {}",
        scene.name(),
        settings.minutes,
        logs.display()
    ));
    // What is started first is ended last, also after an error: no client sees its server go.
    let mut servers = Servers::start(programs, &logs, stop)?;
    let mut clients = Clients::warm(programs, &logs, stop)?;
    let mut tracer = Tracer::start(&programs.tracer, &logs, stop)?;
    clients.join(length)?;
    let mut leak = match scene {
        Scene::Healthy => None,
        Scene::Leaking => Some(Leak::start(
            &programs.roles,
            settings.leak_to,
            tracer.elapsed(),
            &logs,
        )?),
    };

    watch(length, stop, || {
        servers.look_after()?;
        clients.look_after()?;
        leak.iter_mut().try_for_each(Leak::look_after)?;
        tracer.read()
    })?;
    // Before the others, so that its closing table shows what they hold.
    let told = tracer.finish()?;
    let mut checks = clients.held_as_meant(&told, length);
    checks.push(verdict::books_balance(&told));
    match leak {
        None => checks.push(verdict::nobody_accused(&told)),
        Some(leak) => checks.extend(verdict::only_accused(&told, &leak.culprit())),
    }
    Ok(checks)
}

/// Looks after everything for so long; the first trouble ends it.
fn watch(length: Duration, stop: &Stop, mut look: impl FnMut() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    let mut told = 0;
    while begun.elapsed() < length {
        stop.check()?;
        look()?;
        let minutes = begun.elapsed().as_secs() / 60;
        if minutes > told {
            told = minutes;
            say(format_args!("{minutes} min"));
        }
        thread::sleep(TICK);
    }
    Ok(())
}

/// The log of a program.
fn log_of(logs: &Path, name: &str) -> PathBuf {
    logs.join(name).with_extension("log")
}
