use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use super::{Facts, NAMES};
use crate::{
    model::{connection::ProcessId, name::Comm, time::Time},
    procfs::process::Directory,
};

/// A shell that does what it is told, and says when it is done.
struct Shell(Child);

impl Shell {
    fn new() -> Self {
        let mut shell = Command::new("sh");
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = Self(shell.spawn().unwrap());
        shell.tell("echo ready");
        shell
    }

    /// Gives a command whose first line of output is waited for.
    fn tell(&mut self, command: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(!line.is_empty(), "`{command}` says nothing");
    }

    fn process(&self) -> ProcessId {
        let stat = Directory::open(self.0.id()).unwrap().stat().unwrap();
        stat.process(self.0.id())
    }

    fn end(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

fn args(facts: &mut Facts, process: ProcessId, comm: &str) -> Option<Vec<u8>> {
    facts
        .look_up(process, Comm::from(comm))
        .map(|info| info.args.clone())
}

#[test]
fn a_command_line_is_read_once_and_again_after_exec() {
    let mut shell = Shell::new();
    let process = shell.process();
    let mut facts = Facts::new(4);
    assert_eq!(args(&mut facts, process, "sh").as_deref(), Some(&b"sh"[..]));
    // `exec` keeps the process and its start.
    shell.tell("exec sh -c 'echo changed; read line'");
    assert_eq!(
        args(&mut facts, process, "sh").as_deref(),
        Some(&b"sh"[..]),
        "the same name is not read again"
    );
    let changed = args(&mut facts, process, "other").unwrap();
    assert_eq!(changed, b"sh\0-c\0echo changed; read line");
    shell.end();
}

#[test]
fn a_process_that_is_gone_leaves_what_was_known() {
    let mut shell = Shell::new();
    let process = shell.process();
    let mut facts = Facts::new(4);
    let known = args(&mut facts, process, "sh");
    shell.end();
    assert_eq!(args(&mut facts, process, "renamed"), known);
    assert!(known.is_some());
    assert_eq!(args(&mut Facts::new(4), process, "sh"), None);
}

#[test]
fn a_reused_number_does_not_describe_another_process() {
    let own = Directory::open(std::process::id())
        .unwrap()
        .stat()
        .unwrap()
        .process(std::process::id());
    let earlier = ProcessId {
        start: Time(own.start.0 / 2),
        ..own
    };
    let mut facts = Facts::new(4);
    assert_eq!(args(&mut facts, earlier, "x"), None);
    assert!(args(&mut facts, own, "x").is_some_and(|args| !args.is_empty()));
    assert_eq!(args(&mut facts, ProcessId::KERNEL, "x"), None);
    assert_eq!(args(&mut facts, ProcessId::OTHER, "x"), None);
}

#[test]
fn a_full_table_is_told_and_makes_room_when_processes_are_forgotten() {
    let process = |start| ProcessId {
        pid: std::process::id(),
        start: Time(start),
    };
    let own = Directory::open(std::process::id())
        .unwrap()
        .stat()
        .unwrap()
        .process(std::process::id());
    let mut facts = Facts::new(2);
    facts.look_up(process(0), Comm::from("x"));
    facts.look_up(process(1), Comm::from("x"));
    assert_eq!((facts.refused(), args(&mut facts, own, "x")), (0, None));
    assert_eq!(facts.refused(), 1);
    facts.retain(|kept| kept == process(1));
    assert!(args(&mut facts, own, "x").is_some());
    assert_eq!(facts.refused(), 1);
}

#[test]
fn a_name_that_changes_all_the_time_does_not_read_all_the_time() {
    let mut shell = Shell::new();
    let process = shell.process();
    let mut facts = Facts::new(1);
    for name in 0..NAMES {
        args(&mut facts, process, &format!("name {name}"));
    }
    shell.tell("exec sh -c 'echo changed; read line'");
    assert_eq!(args(&mut facts, process, "one more").as_deref(), Some(&b"sh"[..]));
    shell.end();
}

#[test]
fn a_long_command_line_is_cut() {
    let long = "x".repeat(100_000);
    let mut child = Command::new("sh")
        .args(["-c", "echo up; read line", &long])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let process = Directory::open(child.id())
        .unwrap()
        .stat()
        .unwrap()
        .process(child.id());
    let args = args(&mut Facts::new(1), process, "sh").unwrap();
    assert_eq!(args.len(), super::ProcessInfo::ARGS);
    assert!(args.starts_with(b"sh\0-c\0echo up; read line\0xxx"));
    drop(child.stdin.take());
    child.wait().unwrap();
}
