//! A running helper, and a process for it to look into.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// More than any look-up takes, also on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Words on top of a stack that lead nowhere.
pub const NOTHING: [u64; 16] = [0; 16];

/// Kills what is left of a child.
pub struct Kill(pub Child);

impl Drop for Kill {
    fn drop(&mut self) {
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<_> = self.0.wait();
    }
}

/// A running helper.
pub struct Helper {
    pub child: Kill,
    pub answers: Receiver<String>,
}

impl Helper {
    pub fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tracer"))
            .arg("symbolize")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, answers) = channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _: Result<(), _> = sender.send(line);
            }
        });
        Self {
            child: Kill(child),
            answers,
        }
    }

    /// Asks about a stack; `None` if the helper died of it.
    pub fn ask(&mut self, target: &Target, frames: &[u64]) -> Option<Value> {
        let question = json!({
            "at": 1, "id": 4711, "pid": target.child.0.id(), "start": target.start(), "slot": null,
            "window": NOTHING, "frames": frames,
        });
        writeln!(self.child.0.stdin.as_mut().unwrap(), "{question}").unwrap();
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => {
                assert!(line.len() < 1 << 20, "an answer of {} bytes", line.len());
                Some(serde_json::from_str(&line).unwrap())
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("no answer"),
        }
    }
}

/// A process to look into.
pub struct Target {
    pub child: Kill,
    pub function: u64,
    pub compiled: u64,
    pub mapped: u64,
}

impl Target {
    pub fn start(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.0.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: u64 = fields.split_whitespace().nth(19).unwrap().parse().unwrap();
        ticks * 10_000_000
    }

    pub fn run(program: &Path, mapped: Option<&Path>) -> Self {
        Self::start_as(Command::new(program).args(mapped))
    }

    pub fn start_as(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addresses: Vec<u64> = line
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        let &[function, compiled, mapped] = addresses.as_slice() else {
            panic!("three addresses: {line}");
        };
        Self {
            child: Kill(child),
            function,
            compiled,
            mapped,
        }
    }
}

/// A directory that is removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tracer-symbolize-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _: std::io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

/// Compiles the target; `None`, and says so, if there is no compiler.
pub fn compiled(scratch: &Scratch, function: &str) -> Option<PathBuf> {
    compiled_with(scratch, function, &[])
}

pub fn compiled_with(scratch: &Scratch, function: &str, flags: &[&str]) -> Option<PathBuf> {
    let source = scratch.0.join("target.c");
    let text = include_str!("../support/target.c").replace("hostile_function_name", function);
    fs::write(&source, text).unwrap();
    let program = scratch.0.join("target");
    let status = Command::new("cc")
        .args(["-O1", "-fno-omit-frame-pointer"])
        .args(flags)
        .arg("-o")
        .arg(&program)
        .arg(&source)
        .status();
    match status {
        Ok(status) => {
            assert!(status.success());
            Some(program)
        }
        Err(error) => {
            println!("skipped: there is no C compiler ({error})");
            None
        }
    }
}

pub fn first_frame(answer: &Value) -> &Value {
    &answer["stack"]["frames"][0]
}
