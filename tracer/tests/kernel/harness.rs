//! Which tests there are, and which of them run here.

use std::{
    env, fmt,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;

use crate::{
    context::{Backend, Context},
    scenarios,
};

/// A scenario.
pub type Scenario = fn(&Context) -> anyhow::Result<()>;

/// Why a scenario cannot run here.
#[derive(Debug)]
pub struct Skipped(pub String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Runs the tests that the command line selects.
pub fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A typing error must not turn a requirement off.
    if let Some(name) = required()
        .iter()
        .find(|name| Backend::ALL.iter().all(|backend| backend.name() != **name))
    {
        eprintln!("TRACER_TEST_REQUIRE: there is no backend {name}");
        return ExitCode::FAILURE;
    }
    let is_scenario = |name: &&&str| scenarios::ALL.iter().any(|(known, _)| known == *name);
    if let Some(name) = scenarios::BEHIND_THE_HOOKS.iter().find(|name| !is_scenario(name)) {
        eprintln!("BEHIND_THE_HOOKS: there is no scenario {name}");
        return ExitCode::FAILURE;
    }
    // The tracer watches the whole machine, so tests would see each other.
    arguments.test_threads = Some(1);
    // A listing needs neither privileges nor a tracer.
    let report = (!arguments.list).then(report);
    let states = Backend::ALL.map(|backend| {
        let usable = State::Usable;
        (
            backend,
            report
                .as_ref()
                .map_or(usable, |report| State::of(backend, report)),
        )
    });
    let usable = states.iter().find(|(_, state)| matches!(state, State::Usable));
    let best = usable.unwrap_or(&states[0]).0;
    let mut trials = Vec::new();
    for (backend, state) in &states {
        let backend = *backend;
        if let State::Skipped(why) = state {
            eprintln!("skipped {backend}: {why}");
        }
        for (name, scenario) in scenarios::ALL {
            if backend != best && !arguments.list && scenarios::BEHIND_THE_HOOKS.contains(name) {
                continue;
            }
            let (name, state) = (format!("{name}::{backend}"), state.clone());
            trials.push(Trial::ignorable_test(name, move || {
                run(*scenario, backend, &state)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(scenario: Scenario, backend: Backend, state: &State) -> Result<Completion, Failed> {
    match state {
        State::Skipped(why) => return Ok(Completion::ignored_with(why)),
        State::Missing(why) => return Err(why.into()),
        State::Usable => {}
    }
    let context = Context {
        backend,
        program: program(),
    };
    let started = Instant::now();
    let result = scenario(&context);
    eprintln!(
        "kernel {}, backend {backend}, {:.1} s",
        rustix::system::uname().release().to_string_lossy(),
        started.elapsed().as_secs_f64()
    );
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(error) if error.is::<Skipped>() => {
            eprintln!("skipped: {error}");
            Ok(Completion::ignored_with(error.to_string()))
        }
        Err(error) => Err(format!("{error:#}").into()),
    }
}

/// What becomes of a backend's tests.
#[derive(Clone)]
enum State {
    /// They run.
    Usable,
    /// They are left out for this reason.
    Skipped(String),
    /// They fail for this reason: somebody asked for the backend.
    Missing(String),
}

impl State {
    fn of(backend: Backend, report: &Result<Value, String>) -> Self {
        let why = match report {
            Ok(report) => match why_not(backend, report) {
                None => return Self::Usable,
                Some(why) => why,
            },
            Err(why) => why.clone(),
        };
        if required().iter().any(|name| name == backend.name()) {
            Self::Missing(format!("required, but not usable here: {why}"))
        } else {
            Self::Skipped(why)
        }
    }
}

/// The backends that must work here.
fn required() -> Vec<String> {
    let names = env::var("TRACER_TEST_REQUIRE").unwrap_or_default();
    names
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// What the tracer's doctor finds.
fn report() -> Result<Value, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("not root".to_owned());
    }
    let program = program();
    let output = Command::new(&program)
        .args(["doctor", "--output", "json"])
        .env_remove("RUST_LOG")
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        format!("the doctor gives no report: {stderr}")
    })
}

/// Why the doctor thinks that a backend does not work here; `None` if it works.
fn why_not(backend: Backend, report: &Value) -> Option<String> {
    let found = report["backends"]
        .as_array()
        .and_then(|backends| backends.iter().find(|found| found["name"] == backend.name()));
    let Some(found) = found else {
        return Some(format!("the doctor could not look: {}", report["btf"]));
    };
    if found["usable"] == true {
        return None;
    }
    let reasons: Vec<String> = found["programs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|program| {
            let reason = program["reason"].as_str()?;
            Some(format!("{}: {reason}", program["hook"].as_str()?))
        })
        .collect();
    let error = found["error"].as_str().unwrap_or_default();
    Some(format!("{error}{}", reasons.join("; ")))
}

fn program() -> PathBuf {
    env::var_os("TRACER_BIN").map_or_else(|| env!("CARGO_BIN_EXE_tracer").into(), PathBuf::from)
}
