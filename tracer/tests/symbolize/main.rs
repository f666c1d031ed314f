//! The helper that looks stacks up, against processes that mean it no good. It needs no privileges to look into our own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod helper;
mod privileges;

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process::Command,
    sync::mpsc::channel,
    thread,
};

use serde_json::{Value, json};

use helper::{Helper, NOTHING, PATIENCE, Scratch, Target, compiled, first_frame};

#[test]
fn a_function_is_named() {
    let scratch = Scratch::new("named");
    let Some(program) = compiled(&scratch, "plain") else {
        return;
    };
    let target = Target::run(&program, None);
    let answer = Helper::start().ask(&target, &[target.function + 8]).unwrap();
    assert_eq!(first_frame(&answer)["function"], "plain", "{answer}");
    assert_eq!(first_frame(&answer)["module"], *program.to_str().unwrap());
}

#[test]
fn a_process_that_is_another_one_by_now_is_not_looked_into() {
    let scratch = Scratch::new("other");
    let Some(program) = compiled(&scratch, "plain") else {
        return;
    };
    let target = Target::run(&program, None);
    let mut helper = Helper::start();
    let question = json!({
        "at": 1, "id": 4711, "pid": target.child.0.id(), "start": target.start() + 1_000_000_000, "slot": null,
        "window": NOTHING, "frames": [target.function + 8],
    });
    writeln!(helper.child.0.stdin.as_mut().unwrap(), "{question}").unwrap();
    let answer: Value = serde_json::from_str(&helper.answers.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert_eq!(answer["why"], "the process is gone", "{answer}");
}

#[test]
fn a_name_of_a_megabyte_is_cut() {
    let scratch = Scratch::new("long");
    let Some(program) = compiled(&scratch, &"x".repeat(1 << 20)) else {
        return;
    };
    let target = Target::run(&program, None);
    let answer = Helper::start().ask(&target, &[target.function + 8]).unwrap();
    let name = first_frame(&answer)["function"].as_str().unwrap();
    assert!(
        name.starts_with("xxxx") && name.len() < 300,
        "{} bytes",
        name.len()
    );
}

#[test]
fn escapes_in_a_name_are_passed_on_as_they_are_and_escaped_by_json() {
    let scratch = Scratch::new("escape");
    let Some(program) = compiled(&scratch, "hostile_name_here") else {
        return;
    };
    let mut bytes = fs::read(&program).unwrap();
    let (old, new) = (b"hostile_name_here", b"\x1b[2J\nname\x00_here\xff");
    let found: Vec<usize> = (0..bytes.len() - old.len())
        .filter(|at| bytes[*at..].starts_with(old))
        .collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    fs::write(&program, bytes).unwrap();
    let target = Target::run(&program, None);
    let answer = Helper::start().ask(&target, &[target.function + 8]).unwrap();
    // A name that is no text may be no name at all, but it is no line of its own either.
    let name = first_frame(&answer)["function"].as_str().unwrap_or_default();
    assert!(name.is_empty() || name.starts_with("\x1b[2J\nname"), "{answer}");
}

#[test]
fn a_pipe_in_place_of_a_perf_map_keeps_nobody_waiting() {
    let scratch = Scratch::new("pipe");
    let Some(program) = compiled(&scratch, "plain") else {
        return;
    };
    let target = Target::run(&program, None);
    let map = PathBuf::from(format!("/tmp/perf-{}.map", target.child.0.id()));
    let made = Command::new("mkfifo").arg(&map).status().unwrap();
    assert!(made.success());
    let answer = Helper::start().ask(&target, &[target.compiled + 8]);
    fs::remove_file(&map).unwrap();
    let answer = answer.unwrap();
    assert_eq!(first_frame(&answer)["function"], "", "{answer}");
}

#[test]
fn a_perf_map_that_grows_is_read() {
    let scratch = Scratch::new("grows");
    let Some(program) = compiled(&scratch, "plain") else {
        return;
    };
    let target = Target::run(&program, None);
    let map = PathBuf::from(format!("/tmp/perf-{}.map", target.child.0.id()));
    fs::write(
        &map,
        format!("{:x} 40 LazyCompile:*leak /app/x.js:12:3\n", target.compiled),
    )
    .unwrap();
    let (stop, stopped) = channel::<()>();
    let grows = map.clone();
    let writer = thread::spawn(move || {
        let mut file = OpenOptions::new().append(true).open(grows).unwrap();
        let lines = "1 1 other\n".repeat(1000);
        while stopped.try_recv().is_err() {
            file.write_all(lines.as_bytes()).unwrap();
            if file.metadata().unwrap().len() > 256 << 20 {
                break;
            }
        }
    });
    let answer = Helper::start().ask(&target, &[target.compiled + 8]);
    let _: Result<(), _> = stop.send(());
    writer.join().unwrap();
    fs::remove_file(&map).unwrap();
    let answer = answer.unwrap();
    let frame = first_frame(&answer);
    assert_eq!(
        (&frame["function"], &frame["line"]),
        (&json!("leak"), &json!(12)),
        "{answer}"
    );
}

#[test]
fn truncated_and_senseless_files_end_no_more_than_one_helper() {
    let scratch = Scratch::new("truncated");
    let Some(program) = compiled(&scratch, "plain") else {
        return;
    };
    let whole = fs::read(&program).unwrap();
    let victim = scratch.0.join("victim.so");
    for length in [0, 1, 63, 64, 100, 1000, whole.len() / 2, whole.len() - 1] {
        // Long enough to be mapped, then cut off.
        fs::write(&victim, &whole).unwrap();
        let target = Target::run(&program, Some(&victim));
        let file = OpenOptions::new().write(true).open(&victim).unwrap();
        file.set_len(length as u64).unwrap();
        let mut helper = Helper::start();
        match helper.ask(&target, &[target.mapped + 0x1100]) {
            Some(answer) => assert!(
                answer["stack"].is_object() || answer["why"].is_string(),
                "{answer}"
            ),
            None => println!("cut at {length}: the helper ended"),
        }
        let again = Helper::start().ask(&target, &[target.function + 8]).unwrap();
        assert_eq!(first_frame(&again)["function"], "plain", "cut at {length}");
    }
    // Every byte of the headers turned around, one at a time.
    for at in (0..64)
        .chain(whole.len().saturating_sub(64 * 20)..whole.len())
        .step_by(7)
    {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        fs::write(&victim, &damaged).unwrap();
        let target = Target::run(&program, Some(&victim));
        let answer = Helper::start().ask(&target, &[target.mapped + 0x1100]);
        if let Some(answer) = answer {
            assert!(
                answer["stack"].is_object() || answer["why"].is_string(),
                "{answer}"
            );
        }
    }
}

#[test]
fn nonsense_ends_the_helper() {
    let mut helper = Helper::start();
    writeln!(helper.child.0.stdin.as_mut().unwrap(), "{{}}").unwrap();
    assert!(!helper.child.0.wait().unwrap().success());
    assert!(helper.answers.recv_timeout(PATIENCE).is_err(), "it says nothing");
}
