//! The founding incident, end to end, in about a minute.
//!
//! A gRPC server with 64 descriptors, a controller that opens three channels per loop and keeps them, a one-shot
//! client that closes what it opens, and two tracers: one prints what a person would see, the other's JSON decides
//! whether everything was seen. Then the controller is replaced by its fixed version, and the alerts must resolve.

mod cast;
mod watch;

use std::{
    net::TcpListener,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    process::{self, say},
    program::{self, Linking},
};
use cast::{Actor, Ending};
use watch::{Account, Watch};

/// The port of the real service.
const PORT: u16 = 9090;
/// Where the leaking controller connects from.
const CONTROLLER: &str = "127.0.0.1";
/// Where the innocent client connects from: the server side is judged by peer address.
const CLIENT: &str = "127.0.0.2";
/// A leak of three connections a second must be found within this time.
const FIND_WITHIN: Duration = Duration::from_secs(30);
/// A server that is frozen must be found within this time.
const STALL_WITHIN: Duration = Duration::from_secs(30);
/// So long may it take until an alert resolves after the leak is gone.
const RESOLVE_WITHIN: Duration = Duration::from_secs(20);

/// Replays the incident and fails if anything is not seen.
pub(crate) fn run() -> Result<()> {
    let tracer = program::build(Linking::Static)?;
    let incident = build_incident()?;
    play(&tracer, &incident)
}

/// Builds the programs of the incident.
pub(crate) fn build_incident() -> Result<std::path::PathBuf> {
    let mut cargo = Command::new(process::cargo());
    process::forget_cargo(&mut cargo);
    cargo
        .args([
            "build",
            "--locked",
            "--package",
            "incident",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(crate::paths::root());
    program::executable(&mut cargo, "incident", "building the incident")
}

/// Plays all acts with programs that are built already.
pub(crate) fn play(tracer: &Path, incident: &Path) -> Result<()> {
    ensure!(process::is_root(), "the demo traces, so it must run as root");
    ensure!(
        TcpListener::bind(("127.0.0.1", PORT)).is_ok(),
        "port {PORT} is in use on this machine: stop what listens there, the demo plays the real service"
    );
    let mut checks = Checks::default();

    say("act 1: a server with 64 descriptors, and the tracer");
    let server = Actor::start(
        "server",
        Command::new(incident).args(["server", "--nofile", "64"]),
    )?;
    server.wait_for_line("listening on", Duration::from_secs(10))?;
    let port = PORT.to_string();
    let shown = Actor::start(
        "tracer",
        Command::new(tracer).args(["--port", &port, "--interval", "10s"]),
    )?;
    let mut watch = Watch::start(tracer, &port)?;
    shown.wait_for_line("watching port 9090", Duration::from_secs(10))?;

    say("act 2: the controller leaks three connections a second; the client closes what it opens");
    let controller = Actor::start(
        "controller",
        Command::new(incident)
            .args([
                "controller",
                "--source",
                CONTROLLER,
                "--every",
                "1s",
                "--channels",
                "3",
            ])
            .args(["--call-timeout", "300ms"]),
    )?;
    let begun = Instant::now();
    while watch.opened() < 1 && begun.elapsed() < FIND_WITHIN {
        // Once the server is full its answer is a timeout: that is the incident, not a failure of the demo.
        one_shot(incident)?;
        watch.listen(Duration::from_millis(700))?;
    }
    let found = begun.elapsed();
    checks.that(
        watch.has_opened("inbound", "grpc-server", server.pid(), CONTROLLER),
        "the server's connections from the controller's address are found to leak",
    );
    checks.that(
        watch.names_other_end("controller", controller.pid()),
        "the controller is named as the process that holds their other ends",
    );
    checks.that(
        found <= FIND_WITHIN,
        &format!(
            "within {} s (it took {:.0} s)",
            FIND_WITHIN.as_secs(),
            found.as_secs_f64()
        ),
    );

    say("act 3: the server has run out of descriptors; this is what its clients see");
    controller.wait_for_line("health check failed", Duration::from_secs(40))?;
    checks.that(
        server.has_said("Too many open files"),
        "the server ran out of descriptors",
    );
    is_stalled(&mut watch, &server, &mut checks)?;

    say("act 4: the controller is replaced by its fixed version");
    controller.end(Ending::Terminate)?;
    let fixed = Actor::start(
        "controller",
        Command::new(incident).args([
            "controller",
            "--fixed",
            "--source",
            CONTROLLER,
            "--every",
            "500ms",
            "--loops",
            "8",
        ]),
    )?;
    let fixed_pid = fixed.pid();
    let begun = Instant::now();
    while (!watch.all_resolved() || !watch.all_accept()) && begun.elapsed() < RESOLVE_WITHIN {
        watch.listen(Duration::from_millis(500))?;
    }
    fixed.end(Ending::ByItself)?;
    one_shot(incident)?;
    watch.listen(Duration::from_secs(2))?;
    checks.that(watch.all_resolved(), "the alert is resolved");
    checks.that(watch.all_accept(), "the server is told to accept again");
    checks.that(
        watch.accuses_only(&["grpc-server", "controller"]) && !watch.accuses(fixed_pid),
        "nobody else was ever accused, neither the client nor the fixed controller",
    );

    server.end(Ending::Terminate)?;
    shown.end(Ending::Interrupt)?;
    is_accounted_for(&watch.finish()?, &mut checks);
    checks.finish()
}

/// Nothing may be lost but what the kernel itself skips, and that must be told and made good.
fn is_accounted_for(account: &Account, checks: &mut Checks) {
    checks.that(account.lost == 0, "no event was lost");
    checks.that(
        account.skipped_told == account.skipped && account.open == 0,
        &format!(
            "what the kernel skipped ({} program runs) was told and made good: {} open at the end",
            account.skipped, account.open
        ),
    );
}

/// The server must be told to be stalled, and why.
fn is_stalled(watch: &mut Watch, server: &Actor, checks: &mut Checks) -> Result<()> {
    let begun = Instant::now();
    while watch.stall_of(server.pid()).is_none() && begun.elapsed() < STALL_WITHIN {
        watch.listen(Duration::from_millis(500))?;
    }
    let stall = watch.stall_of(server.pid()).cloned().unwrap_or_default();
    checks.that(
        stall["at_limit"] == true && stall["descriptors"]["limit"] == 64 && stall["queued"].as_u64() > Some(0),
        &format!(
            "the server is told to be stalled at its limit: {} of {} descriptors, {} unaccepted (after {:.0} s)",
            stall["descriptors"]["used"],
            stall["descriptors"]["limit"],
            stall["queued"],
            begun.elapsed().as_secs_f64()
        ),
    );
    checks.that(
        stall["held"][0]["peer"] == CONTROLLER && stall["held"][0]["direction"] == "inbound",
        "the controller is named as the one who fills it",
    );
    Ok(())
}

/// The innocent client, once. Its exit code is its own affair: a frozen server does not answer.
fn one_shot(incident: &Path) -> Result<()> {
    let mut client = Command::new(incident);
    client.args([
        "client",
        "--source",
        CLIENT,
        "--call-timeout",
        "300ms",
        "--connect-timeout",
        "300ms",
    ]);
    process::capture(&mut client).context("the one-shot client")?;
    Ok(())
}

/// What was seen, and what was not.
#[derive(Default)]
struct Checks {
    passed: u32,
    failed: Vec<String>,
}

impl Checks {
    fn that(&mut self, holds: bool, what: &str) {
        say(format_args!(
            "{} {what}",
            if holds { "seen:" } else { "NOT SEEN:" }
        ));
        if holds {
            self.passed += 1;
        } else {
            self.failed.push(what.to_owned());
        }
    }

    fn finish(self) -> Result<()> {
        if !self.failed.is_empty() {
            bail!("the demo did not show: {}", self.failed.join("; "));
        }
        say(format_args!("the demo showed all {} things", self.passed));
        Ok(())
    }
}
