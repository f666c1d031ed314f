//! Stdout that is full, closed or read by somebody who goes away, and colours on it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support {
    pub mod leak;
    pub mod run;
    pub mod sentence;
}

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    leak::leak_before,
    run::{Run, can_trace, run, tracer, tracer_under},
    sentence::{assert_one_sentence, scratch},
};

const FAULT: i32 = 1;

/// Runs a shell script that finds the command in `$0` and its arguments in `$@`.
fn tracer_in_shell(script: &str, arguments: &[&str]) -> Command {
    tracer_under(&["sh", "-c", script], arguments)
}

#[test]
fn a_stdout_that_cannot_be_written_is_a_fault() {
    for arguments in ["schema", "doctor", "--output json --duration 2s"] {
        if arguments != "schema" && !can_trace("stdout full") {
            continue;
        }
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let run = run_with_stdout(&mut tracer(&arguments), full.into());
        assert_one_sentence(&run, FAULT, &["cannot write to stdout: No space left on device"]);
    }
}

fn run_with_stdout(command: &mut Command, stdout: Stdio) -> Run {
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_full_file_system_holds_whole_lines_only() {
    if !can_trace("full file system") {
        return;
    }
    let mount = scratch("full");
    fs::create_dir_all(&mount).unwrap();
    let script = r#"
        mount -t tmpfs -o size=64k none "$TEST_MOUNT" || exit 99
        "$0" "$@" >"$TEST_MOUNT/out"
        code=$?
        cat "$TEST_MOUNT/out"
        exit $code"#;
    let run = run(tracer_under(
        &["unshare", "--mount", "sh", "-c", script],
        &["--output", "json", "--interval", "10ms", "--duration", "50s"],
    )
    .env("TEST_MOUNT", &mount));
    fs::remove_dir(&mount).unwrap();
    assert_one_sentence(&run, FAULT, &["cannot write to stdout: No space left on device"]);
    assert!(run.stdout.len() > 60_000, "it filled up: {}", run.stdout.len());
    for line in run.stdout.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["v"], 1);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let schema = tracer(&["schema"]).stdout(closed_pipe()).output().unwrap();
    assert_eq!((schema.status.code(), schema.stderr), (Some(0), Vec::new()));
    if !can_trace("closed stdout") {
        return;
    }
    let doctor = tracer(&["doctor"]).stdout(closed_pipe()).output().unwrap();
    assert_eq!((doctor.status.code(), doctor.stderr), (Some(0), Vec::new()));

    // As `| head -1` does it.
    let started = Instant::now();
    let mut child = tracer(&["--output", "json", "--interval", "50ms", "--duration", "50s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    assert!(line.contains(r#""type":"started""#), "{line}");
    assert!(started.elapsed() < Duration::from_secs(40), "it ended at once");
}

/// The write end of a pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_stdout_closed_from_the_start_is_no_fault() {
    for arguments in [
        "--version",
        "schema",
        "doctor",
        "--output json --interval 100ms --duration 1s",
    ] {
        if !["--version", "schema"].contains(&arguments) && !can_trace("no stdout") {
            continue;
        }
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let run = run(&mut tracer_in_shell(r#"exec "$0" "$@" >&-"#, &arguments));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn colours_only_where_they_are_wanted() {
    let forced = run(tracer(&["--help"]).env("CLICOLOR_FORCE", "1"));
    assert!(forced.stdout.contains('\x1b'));
    let refused = run(tracer(&["--help"])
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1"));
    assert!(!refused.stdout.contains('\x1b'));
    if !can_trace("colours of alerts") {
        return;
    }
    let cases: [(&[&str], bool); 3] = [
        (&[], false),
        (&["CLICOLOR_FORCE"], true),
        (&["CLICOLOR_FORCE", "NO_COLOR"], false),
    ];
    let outputs = leak_before(|port| {
        let options = "--duration 3s --min-opened 3 --min-span 500ms --port";
        let arguments: Vec<&str> = options.split(' ').chain([port]).collect();
        let start = |(variables, _): &(&[&str], bool)| {
            let mut command = tracer(&arguments);
            command.envs(variables.iter().map(|name| (name, "1")));
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        cases.iter().map(start).collect()
    });
    for ((variables, coloured), output) in cases.into_iter().zip(outputs) {
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{variables:?}");
        assert!(
            stdout.contains("LEAK SUSPECTED"),
            "{variables:?}: {stdout}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(stdout.contains('\x1b'), coloured, "{variables:?}: {stdout:?}");
        // In a pipe, alerts only.
        assert!(!stdout.contains(" connecting; "), "{variables:?}: {stdout}");
    }
}

#[test]
fn a_reader_that_stands_still_does_not_make_us_deaf() {
    if !can_trace("a reader that stands still") {
        return;
    }
    let mut command = tracer(&["--output", "json", "--interval", "1ms", "--port", "1"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody reads: the pipe is full after 64 KiB, some hundred lines.
    std::thread::sleep(Duration::from_secs(3));
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            None => {
                child.kill().unwrap();
                panic!("it did not end");
            }
        }
    };
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_full_stderr_is_no_reason_to_panic() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = tracer(&["--btf", "/dev/null"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(3));
    if can_trace("a full stderr") {
        let status = tracer(&["--port", "1", "--duration", "200ms"])
            .stderr(full())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0));
    }
}
