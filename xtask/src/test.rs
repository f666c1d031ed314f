//! All tests, in steps that are counted and timed, and one closing line that sums them up.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::failures::Failures;
use crate::process::{self, say};
use crate::program::{self, Linking};
use crate::tally::Tally;
use crate::vm::{Include, Series, Vm};
use crate::{apt, bench, demo, ebpf, fuzz, paths};

/// Where the guest has the tracer.
const GUEST_TRACER: &str = "/usr/local/bin/tracer";
/// Where the guest has the programs that leak.
const GUEST_LEAKING: &str = "/usr/local/lib/leaking";
/// As much of a dead guest's console is shown again at the end: an oops with its registers and its stack.
const CONSOLE_LINES: usize = 90;
/// A kernel test run that takes longer than this hangs.
const KERNEL_TESTS: Duration = Duration::from_mins(30);

/// Runs everything, or what matches the filter; true if nothing failed. Prints the closing line last.
pub(crate) fn run(filter: Option<&str>) -> bool {
    let mut session = Session {
        total: Tally::default(),
        failures: Vec::new(),
        last_words: Vec::new(),
    };
    session.all(filter);
    if session.total.is_empty() && session.failures.is_empty() {
        session.failures.push("no test matches".to_owned());
        session.total.failed += 1;
    }
    for (name, lines) in &session.last_words {
        say(format_args!("==== {name}: what was said about the failure ===="));
        for line in lines {
            // Nobody may be reading any more; the counts matter all the same.
            let _closed = writeln!(io::stdout(), "{line}");
        }
    }
    for failure in &session.failures {
        say(format_args!("failed: {failure}"));
    }
    println!("{}", session.total);
    session.failures.is_empty() && session.total.failed == 0
}

struct Session {
    total: Tally,
    failures: Vec<String>,
    /// What failed tests of a step said, or a guest that died: shown last, for often the end of a log is all that is kept.
    last_words: Vec<(String, Vec<String>)>,
}

/// The programs that the kernel tests need.
struct Programs {
    tracer: PathBuf,
    tests: PathBuf,
    /// Directory of the programs that leak in a known function.
    leaking: PathBuf,
}

impl Session {
    fn all(&mut self, filter: Option<&str>) {
        // The rest cannot even start without these.
        let Some(object) = self.prepare("build the kernel programs", ebpf::build) else {
            return;
        };
        self.tests("unit and command-line tests", filter, |said| {
            unit_tests(&object, filter, said)
        });
        self.fuzz(filter);
        let programs = self.prepare("build the program and its kernel tests", || {
            let tracer = program::build_around(&object, Linking::Static)?;
            let tests = program::build_kernel_tests(&object)?;
            let leaking = leaking_programs(&tests)?;
            Ok(Programs {
                tracer,
                tests,
                leaking,
            })
        });
        if let Some(programs) = programs {
            self.kernel_tests(&programs, filter);
            if filter.is_none_or(|filter| filter == "costs") {
                self.tests("costs", None, |_| {
                    bench::gate(&programs.tracer).map(|()| Tally::PASS)
                });
            }
        }
        if filter.is_none_or(|filter| filter == "demo") {
            self.tests("demo", None, |_| demo::run().map(|()| Tally::PASS));
        }
    }

    fn fuzz(&mut self, filter: Option<&str>) {
        let targets = match fuzz::targets() {
            Ok(targets) => targets,
            Err(error) => return self.tests("fuzz", None, |_| Err(error)),
        };
        for target in targets {
            let name = format!("fuzz {target}");
            if filter.is_none_or(|filter| name.contains(filter)) {
                self.tests(&name, None, |_| {
                    fuzz::run(Some(&target), fuzz::DEFAULT_SECONDS).map(|_| Tally::PASS)
                });
            }
        }
    }

    fn kernel_tests(&mut self, programs: &Programs, filter: Option<&str>) {
        if filter.is_some_and(|filter| !has_matching_test(&programs.tests, filter)) {
            return;
        }
        self.tests("kernel tests, this machine", filter, |said| {
            native_kernel_tests(programs, filter, said)
        });
        // Side by side: a guest waits more than it computes.
        let guests = thread::scope(|scope| {
            let provided = Series::ALL.map(|series| (series, Vm::provide(series)));
            let running = provided.map(|(series, provided)| {
                let run = move || provided.and_then(|()| guest_kernel_tests(series, programs, filter));
                (series, scope.spawn(run))
            });
            running.map(|(series, run)| (series, run.join()))
        });
        for (series, tally) in guests {
            let name = format!("kernel tests, kernel {series}");
            self.tests(&name, filter, |said| {
                let Guest { tally, log, took } = tally.map_err(|_| anyhow!("the run panicked"))??;
                io::stdout().write_all(&log).context("cannot show the log")?;
                let text = String::from_utf8_lossy(&log);
                *said = match tally {
                    Ok(_) => Failures::of_text(&text).into_lines(),
                    Err(_) => last_lines(&text, CONSOLE_LINES),
                };
                say(format_args!(
                    "it ran for {:.1} s, beside the other",
                    took.as_secs_f64()
                ));
                tally
            });
        }
    }

    /// A step that the rest needs and that holds no tests.
    fn prepare<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        let mut made = None;
        let started = header(name);
        match step() {
            Ok(value) => made = Some(value),
            Err(error) => self.fail(name, &format!("{error:#}")),
        }
        say(format_args!("{name}: {:.1} s", started.elapsed().as_secs_f64()));
        made
    }

    /// A step with tests; without a filter it must have some. It hands over what was said about failures.
    fn tests(
        &mut self,
        name: &str,
        filter: Option<&str>,
        step: impl FnOnce(&mut Vec<String>) -> Result<Tally>,
    ) {
        let started = header(name);
        let mut said = Vec::new();
        let tally = match step(&mut said) {
            Ok(tally) => {
                if tally.is_empty() && filter.is_none() {
                    self.fail(name, "found no tests");
                } else if tally.failed > 0 {
                    self.failures.push(name.to_owned());
                }
                self.total += tally;
                tally
            }
            Err(error) => {
                self.fail(name, &format!("{error:#}"));
                Tally::FAIL
            }
        };
        if !said.is_empty() {
            self.last_words.push((name.to_owned(), said));
        }
        say(format_args!(
            "{name}: {tally} in {:.1} s",
            started.elapsed().as_secs_f64()
        ));
    }

    /// A step that died counts as one failed test.
    fn fail(&mut self, name: &str, reason: &str) {
        say(format_args!("{name}: {reason}"));
        self.failures.push(format!("{name}: {reason}"));
        self.total += Tally::FAIL;
    }
}

fn header(name: &str) -> Instant {
    say(format_args!("==== {name} ===="));
    Instant::now()
}

fn unit_tests(object: &Path, filter: Option<&str>, said: &mut Vec<String>) -> Result<Tally> {
    let mut cargo = program::cargo("test", object);
    cargo
        .args(["--workspace", "--exclude", "tracer-ebpf", "--no-fail-fast"])
        .args(filter);
    if process::is_root() {
        // What needs root can run, so it must.
        cargo.env("TRACER_TEST_REQUIRE_ROOT", "1");
    } else {
        say("not root: parts of the command-line tests print why they skip, and count as passed");
    }
    counted(&mut cargo, io::stdout(), said)
}

/// The test program compiles what guests have no compilers for; what cannot be compiled here either is skipped there.
fn leaking_programs(tests: &Path) -> Result<PathBuf> {
    let directory = paths::root().join("target/leaking");
    // What is missing is named by the test that it skips.
    for (program, package) in [("go", "golang-go"), ("node", "nodejs"), ("python3", "python3")] {
        if let Err(error) = apt::ensure_program(program, package, "the tests of stacks") {
            say(format_args!("{error:#}"));
        }
    }
    let mut command = Command::new(tests);
    command.arg("__programs").arg(&directory);
    process::forget_cargo(&mut command);
    process::run(&mut command, "compiling programs that leak")?;
    Ok(directory)
}

/// Whether the kernel tests hold one that the filter selects; their listing needs no privileges.
fn has_matching_test(tests: &Path, filter: &str) -> bool {
    let mut command = Command::new(tests);
    command.args(["--list", filter]);
    process::capture(&mut command).is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line.ends_with(": test"))
    })
}

fn native_kernel_tests(programs: &Programs, filter: Option<&str>, said: &mut Vec<String>) -> Result<Tally> {
    let mut command = if process::is_root() {
        Command::new("env")
    } else if process::find_on_path("sudo").is_some() {
        let mut command = Command::new("sudo");
        command.arg("env");
        command
    } else {
        bail!("the kernel tests need root, and there is no sudo");
    };
    command.arg(format!("TRACER_BIN={}", programs.tracer.display()));
    // No kernel of a machine that runs this may offer less than the state tracepoint.
    command.arg("TRACER_TEST_REQUIRE=tracepoint");
    command.arg(format!("TRACER_TEST_PROGRAMS={}", programs.leaking.display()));
    command.args(["timeout", "--kill-after=10", &KERNEL_TESTS.as_secs().to_string()]);
    command.arg(&programs.tests).args(filter);
    process::forget_cargo(&mut command);
    counted(&mut command, io::stdout(), said)
}

/// What came of the tests in a guest.
struct Guest {
    tally: Result<Tally>,
    /// Everything that its console said.
    log: Vec<u8>,
    took: Duration,
}

fn guest_kernel_tests(series: Series, programs: &Programs, filter: Option<&str>) -> Result<Guest> {
    let started = Instant::now();
    let tests = programs.tests.to_string_lossy().into_owned();
    let command = [tests].into_iter().chain(filter.map(str::to_owned)).collect();
    let guest = Vm {
        files: vec![
            Include {
                host: programs.tracer.clone(),
                guest: GUEST_TRACER.to_owned(),
            },
            Include {
                host: programs.leaking.clone(),
                guest: GUEST_LEAKING.to_owned(),
            },
        ],
        env: vec![
            ("TRACER_TEST_PROGRAMS".to_owned(), GUEST_LEAKING.to_owned()),
            ("TRACER_BIN".to_owned(), GUEST_TRACER.to_owned()),
            // A backend that silently did not run must not pass for one that did.
            (
                "TRACER_TEST_REQUIRE".to_owned(),
                "fentry,kprobe,tracepoint".to_owned(),
            ),
        ],
        timeout: KERNEL_TESTS,
        shown: false,
        ..Vm::new(series, "kernel-tests", command)
    };
    let outcome = guest.run()?;
    let log = fs::read(&outcome.log).with_context(|| format!("cannot read {}", outcome.log.display()))?;
    let tally = Tally::of_text(&String::from_utf8_lossy(&log));
    let tally = outcome.exit_code().and_then(|code| {
        let why = format!("exit code {code} in the guest; see {}", outcome.log.display());
        judged(tally, code == 0, &why)
    });
    Ok(Guest {
        tally,
        log,
        took: started.elapsed(),
    })
}

fn last_lines(text: &str, count: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    last.iter().map(|line| (*line).to_owned()).collect()
}

/// Runs a command that prints closing lines; its output passes through, and what failed tests said is kept.
fn counted(command: &mut Command, mut out: impl Write, said: &mut Vec<String>) -> Result<Tally> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{}`", process::line(command)))?;
    let mut tally = Tally::default();
    let mut failures = Failures::default();
    let mut output = BufReader::new(child.stdout.take().context("no output to read")?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        // Nobody may be reading any more; the counts matter all the same.
        let _closed = out.write_all(&line);
        let text = String::from_utf8_lossy(&line);
        failures.line(&text);
        if let Some(part) = Tally::of_line(&text) {
            tally += part;
        }
        line.clear();
    }
    *said = failures.into_lines();
    let status = child.wait()?;
    judged(tally, status.success(), &format!("{status}"))
}

/// A run that failed although no test did has died: before, between or after them.
fn judged(tally: Tally, success: bool, how: &str) -> Result<Tally> {
    if !success && tally.failed == 0 {
        bail!("the run died ({how}) after {tally}");
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_dies_between_tests_is_an_error() {
        assert!(judged(Tally::PASS, false, "signal 11").is_err());
        assert_eq!(
            judged(Tally::FAIL, false, "exit status 101").unwrap(),
            Tally::FAIL
        );
        assert_eq!(judged(Tally::PASS, true, "exit status 0").unwrap(), Tally::PASS);
    }

    #[test]
    fn of_a_log_the_last_lines_are_kept() {
        assert_eq!(last_lines("one\ntwo\r\nthree\n", 2), ["two", "three"]);
        assert_eq!(last_lines("one\n", 2), ["one"]);
        assert!(last_lines("", 2).is_empty());
    }

    #[test]
    fn output_is_counted_while_it_passes_through() {
        let mut echo = Command::new("printf");
        echo.arg("failures:\nleft 1\ntest result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured\n");
        let (mut out, mut said) = (Vec::new(), Vec::new());
        let tally = counted(&mut echo, &mut out, &mut said).unwrap();
        assert_eq!((tally.passed, tally.failed, tally.skipped), (2, 1, 1));
        assert!(out.starts_with(b"failures:"));
        assert_eq!(said.len(), 3);
        assert_eq!(said[1], "left 1");
    }

    #[test]
    fn a_step_without_tests_fails_unless_filtered() {
        let mut session = Session {
            total: Tally::default(),
            failures: Vec::new(),
            last_words: Vec::new(),
        };
        session.tests("filtered", Some("x"), |_| Ok(Tally::default()));
        assert!(session.failures.is_empty());
        session.tests("empty", None, |_| Ok(Tally::default()));
        assert_eq!((session.failures.len(), session.total.failed), (1, 1));
    }
}
