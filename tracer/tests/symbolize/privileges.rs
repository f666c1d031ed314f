//! What the helper gives up, and what it finds all the same.

use std::{
    collections::HashMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::helper::{Helper, PATIENCE, Scratch, Target, compiled, compiled_with, first_frame};

/// The lines of `/proc/PID/status`, by name.
fn status(pid: u32) -> HashMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(":\t"));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The only child of a process.
fn child_of(pid: u32) -> u32 {
    let parent = pid.to_string();
    let mut children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (stat.rsplit_once(") ")?.1.split(' ').nth(1)? == parent).then_some(pid)
    });
    children.next().unwrap()
}

fn is_root() -> bool {
    status(std::process::id())["Uid"].starts_with("0\t0\t")
}

#[test]
fn what_parses_has_no_privileges() {
    let scratch = Scratch::new("privileges");
    let Some(program) = compiled(&scratch, "plain") else {
        return;
    };
    let target = Target::run(&program, None);
    let mut helper = Helper::start();
    let answer = helper.ask(&target, &[target.function + 8]).unwrap();
    assert_eq!(first_frame(&answer)["function"], "plain", "{answer}");
    let pid = child_of(helper.child.0.id());
    let parser = status(pid);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(parser[set], "0000000000000000", "{set}");
    }
    assert_eq!((&*parser["NoNewPrivs"], &*parser["Seccomp"]), ("1", "2"));
    assert_eq!(parser["Threads"], "1");
    if is_root() {
        assert_eq!(parser["CapBnd"], "0000000000000000");
        assert_eq!(parser["Uid"], "65534\t65534\t65534\t65534");
        assert_eq!(parser["Gid"], "65534\t65534\t65534\t65534");
        assert_eq!(parser["Groups"].trim(), "");
        let root = fs::read_link(format!("/proc/{pid}/root")).unwrap();
        assert_eq!(root, Path::new(&format!("/proc/{pid}")));
    } else {
        println!("skipped in part: only root can give up its user and root");
    }
    // What fetches files for it keeps three capabilities.
    let fetcher = status(helper.child.0.id());
    let kept = u64::from_str_radix(&fetcher["CapPrm"], 16).unwrap();
    let needed = 1 << 2 | 1 << 19 | 1 << 40;
    assert_eq!(kept & !needed, 0, "{kept:x}");
    // It ends with the other, however that ends.
    drop(helper.child.0.stdin.take());
    assert!(helper.child.0.wait().unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    while fs::read_link(format!("/proc/{pid}/root")).is_ok() {
        assert!(Instant::now() < deadline, "it lives on");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_file_that_only_its_owner_may_read_is_looked_into() {
    let scratch = Scratch::new("owner");
    let Some(program) = compiled(&scratch, "plain") else {
        return;
    };
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    let target = Target::run(&program, None);
    let answer = Helper::start().ask(&target, &[target.function + 8]).unwrap();
    assert_eq!(first_frame(&answer)["function"], "plain", "{answer}");
}

/// The root of the process is its own, so that nothing is put into the machine's.
#[test]
fn debug_information_that_was_split_off_is_read() {
    let scratch = Scratch::new("split");
    if !is_root() {
        println!("skipped: only root can change the root directory");
        return;
    }
    let flags = [
        "-g",
        "-static",
        "-Wl,--build-id=0x0011223344556677889900112233445566778899",
    ];
    let Some(program) = compiled_with(&scratch, "split_off", &flags) else {
        return;
    };
    let directory = scratch.0.join("usr/lib/debug/.build-id/00");
    fs::create_dir_all(&directory).unwrap();
    let debug_file = directory.join("11223344556677889900112233445566778899.debug");
    let made = Command::new("objcopy")
        .arg("--only-keep-debug")
        .args([&program, &debug_file])
        .status();
    if let Err(error) = made {
        println!("skipped: there is no objcopy ({error})");
        return;
    }
    assert!(made.unwrap().success());
    assert!(Command::new("strip").arg(&program).status().unwrap().success());
    let run = || Target::start_as(Command::new("chroot").arg(&scratch.0).arg("/target"));
    let target = run();
    let answer = Helper::start().ask(&target, &[target.function + 8]).unwrap();
    let frame = first_frame(&answer);
    assert_eq!(frame["function"], "split_off", "{answer}");
    assert!(frame["file"].as_str().unwrap().ends_with("target.c"), "{answer}");
    assert!(frame["line"].as_u64().unwrap() > 1, "{answer}");
    // That of another build says nothing.
    let other = [
        "-g",
        "-static",
        "-Wl,--build-id=0x00112233445566778899001122334455667788ff",
    ];
    compiled_with(&scratch, "another", &other).unwrap();
    fs::rename(&program, &debug_file).unwrap();
    compiled_with(&scratch, "split_off", &flags).unwrap();
    assert!(Command::new("strip").arg(&program).status().unwrap().success());
    let target = run();
    let answer = Helper::start().ask(&target, &[target.function + 8]).unwrap();
    assert_eq!(first_frame(&answer)["function"], "", "{answer}");
    assert_eq!(
        first_frame(&answer)["build_id"],
        "0011223344556677889900112233445566778899"
    );
}

/// Root that may not change its user is told so, and looks nothing up with more privileges than it should.
#[test]
fn root_that_cannot_give_up_its_user_looks_nothing_up() {
    if !is_root() {
        println!("skipped: only root has a user to give up");
        return;
    }
    let output = Command::new("setpriv")
        .args(["--bounding-set", "-setuid", "--inh-caps", "-setuid"])
        .arg(env!("CARGO_BIN_EXE_tracer"))
        .arg("symbolize")
        .output();
    match output {
        Ok(output) => {
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(said["broken"], true, "{said}");
            assert!(
                said["why"].as_str().unwrap().contains("change the user"),
                "{said}"
            );
        }
        Err(error) => println!("skipped: there is no setpriv ({error})"),
    }
}
