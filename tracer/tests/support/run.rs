//! Runs of the command.

use std::{
    env,
    process::{Command, Stdio},
};

/// Longer than any run takes; a run that hangs is a failure, not a hang.
const PATIENCE: &str = "60";

/// How a run ended.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The command under test with what a user's environment might hold taken out, run by `wrapper`.
pub fn tracer_under(wrapper: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", PATIENCE])
        .args(wrapper)
        .arg(env!("CARGO_BIN_EXE_tracer"))
        .args(arguments)
        .stdin(Stdio::null());
    // A backtrace must not appear even where somebody asks for backtraces.
    command.env("RUST_BACKTRACE", "1");
    for name in [
        "RUST_LOG",
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "LINES",
    ] {
        command.env_remove(name);
    }
    command
}

/// The command under test.
pub fn tracer(arguments: &[&str]) -> Command {
    tracer_under(&[], arguments)
}

/// Runs it to its end. Whatever happens, nothing may look like a crash.
pub fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let run = Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    for sign in ["panicked", "backtrace", "BACKTRACE"] {
        assert!(!run.stderr.contains(sign), "{command:?}: {}", run.stderr);
    }
    assert!(
        run.stdout.is_empty() || run.stdout.ends_with('\n'),
        "{command:?} ended in the middle of a line: {:?}",
        run.stdout
    );
    run
}

/// Whether `what` can be tested here, that is, as root with a usable backend. Where `TRACER_TEST_REQUIRE_ROOT` is
/// set, it must be.
pub fn can_trace(what: &str) -> bool {
    let doctor = run(&mut tracer(&["doctor"]));
    let why = match doctor.code {
        Some(0) => return true,
        _ if !rustix::process::geteuid().is_root() => "not root",
        _ => "no backend works here",
    };
    assert!(
        env::var_os("TRACER_TEST_REQUIRE_ROOT").is_none(),
        "{what}: {why}\n{}{}",
        doctor.stdout,
        doctor.stderr
    );
    eprintln!("skipped: {what}: {why}");
    false
}
