//! `tracer replay` as its users meet it: findings of recordings, and sentences about what is none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support {
    #[expect(dead_code, reason = "a replay needs no privileges")]
    pub mod run;
    pub mod sentence;
}

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::Stdio,
};

use serde_json::Value;
use support::{
    run::{Run, run, tracer},
    sentence::{assert_one_sentence, scratch},
};

const SECOND: u64 = 1_000_000_000;

/// A recording in which a process opens a connection every second, and closes none.
fn leak(seconds: u64) -> String {
    let mut file =
        String::from("{\"kind\":\"header\",\"v\":1,\"ts\":1000000000,\"wall\":\"2026-11-22T10:00:01Z\"}\n");
    file.push_str(
        "{\"kind\":\"process\",\"ts\":1000000000,\"pid\":7,\"start\":5,\"comm\":\"ctl\",\"args\":[\"/bin/ctl\",\"--loop\"],\"fds\":9,\"nofile\":64}\n",
    );
    for second in 1..=seconds {
        let (ts, port) = ((second + 1) * SECOND, 4000 + second);
        writeln!(
            file,
            "{{\"kind\":\"opened\",\"ts\":{ts},\"id\":\"{second}\",\"pid\":7,\"start\":5,\"direction\":\"outbound\",\
             \"local\":\"10.0.0.1:{port}\",\"peer\":\"10.0.0.2:9090\"}}"
        )
        .unwrap();
    }
    file
}

fn written(name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn replay(path: &PathBuf, options: &[&str]) -> Run {
    let mut command = tracer(&["replay"]);
    run(command.arg(path).args(options))
}

fn lines(run: &Run) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of_type<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == name).collect()
}

#[test]
fn a_recorded_leak_is_found_by_anybody() {
    let path = written("leak", leak(60));
    let told = replay(&path, &["--output", "json"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let lines = lines(&told);
    let alerts = of_type(&lines, "alert");
    assert_eq!(alerts[0]["status"], "opened");
    assert_eq!(alerts[0]["process"]["comm"], "ctl");
    assert_eq!(
        alerts[0]["process"]["args"],
        serde_json::json!(["/bin/ctl", "--loop"])
    );
    assert!(
        alerts[0]["time"]
            .as_str()
            .unwrap()
            .starts_with("2026-11-22T10:00:")
    );
    assert_eq!(lines.last().unwrap()["type"], "summary");
    assert_eq!(lines.last().unwrap()["total"]["open"], 60);
    // The same again, and through a pipe.
    let again = replay(&path, &["--output", "json"]);
    assert_eq!(again.stdout, told.stdout);
    let mut command = tracer(&["replay", "-", "--output", "json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(leak(60).as_bytes())
        .unwrap();
    assert_eq!(
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(),
        told.stdout
    );
}

#[test]
fn a_replay_stops_where_it_is_told_to() {
    let path = written("until", leak(60));
    for until in ["30s", "2026-11-22T10:00:31Z", "2026-11-22T11:00:31+01:00"] {
        let told = replay(&path, &["--output", "json", "--until", until]);
        let lines = lines(&told);
        assert_eq!(
            lines.last().unwrap()["total"]["open"],
            30,
            "{until}: {}",
            told.stderr
        );
        assert_eq!(lines.last().unwrap()["time"], "2026-11-22T10:00:31.000Z");
    }
    let tables = replay(&path, &["--output", "json", "--interval", "10s"]);
    assert_eq!(of_type(&lines(&tables), "table").len(), 6 + 1);
}

#[test]
fn files_of_one_recording_are_put_in_order() {
    let whole = leak(60);
    let (first, second) = whole.split_at(whole.find("\"id\":\"31\"").unwrap());
    let begin = first.rfind('\n').unwrap() + 1;
    let header = "{\"kind\":\"header\",\"v\":1,\"ts\":31500000000,\"wall\":\"2026-11-22T10:00:31.5Z\"}\n";
    let second = written("part-2", format!("{header}{}{second}", &first[begin..]));
    let first = written("part-1", &first[..begin]);
    let parts = run(tracer(&["replay", "--output", "json"]).arg(&second).arg(&first));
    let whole = replay(&written("whole", &whole), &["--output", "json"]);
    let alerts = |run: &Run| {
        of_type(&lines(run), "alert")
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(alerts(&parts), alerts(&whole), "{}", parts.stderr);
    assert!(!alerts(&whole).is_empty());
}

#[test]
fn a_recording_that_was_cut_off_is_used_until_there() {
    let whole = leak(60);
    let path = written("cut", &whole[..whole.len() - 20]);
    let told = replay(&path, &["--output", "json"]);
    assert_one_sentence(
        &told,
        0,
        &["ends in the middle of line 62: used up to the line before"],
    );
    assert_eq!(lines(&told).last().unwrap()["total"]["open"], 59);
}

#[test]
fn a_compressed_recording_says_the_same() {
    let text = leak(900);
    let compressed =
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let plain = replay(&written("plain", &text), &["--output=json"]);
    let zst = replay(&written("compressed.zst", &compressed), &["--output=json"]);
    assert!(!of_type(&lines(&plain), "alert").is_empty());
    assert_eq!((zst.code, &zst.stdout), (Some(0), &plain.stdout));

    let cut = &compressed[..compressed.len() - 3];
    let cut = replay(&written("cut.zst", cut), &["--output=json"]);
    assert_eq!(cut.code, Some(0));
    assert!(cut.stderr.contains("the compression of "), "{}", cut.stderr);
}

#[test]
fn lines_that_cannot_be_used_are_named_and_the_end_is_a_fault() {
    let broken = leak(60).replacen("\"pid\":7,\"start\":5,\"dir", "\"pid\":-7,\"start\":5,\"dir", 2);
    let told = replay(&written("broken", broken), &["--output", "json"]);
    assert_eq!(told.code, Some(1));
    for part in [
        "line 3: invalid type: integer `-7`, expected",
        "line 4: ",
        "2 of 62 lines could not be used",
    ] {
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
    let lines = lines(&told);
    assert_eq!(lines.last().unwrap()["total"]["open"], 58);
    assert_eq!(lines.last().unwrap()["books"]["rejected"], 2);
    assert_eq!(
        of_type(&lines, "alert")[0]["confidence"]["lost"],
        2,
        "a verdict says what it rests on"
    );
}

#[test]
fn what_is_no_recording_is_refused_with_a_sentence() {
    let header = leak(0);
    for (name, bytes, part) in [
        ("empty", &b""[..], "it is empty"),
        ("text", b"hello\n", "(line 1: not a JSON object)"),
        ("binary", b"\x7fELF\x02\x01\0\0\n\0\0", "is not a recording"),
        ("half a header", &header.as_bytes()[..30], "is not a recording"),
        (
            "version",
            b"{\"kind\":\"header\",\"v\":9,\"ts\":1,\"wall\":\"\"}\n",
            "this is version 9 of the format",
        ),
        (
            "wall",
            b"{\"kind\":\"header\",\"v\":1,\"ts\":1,\"wall\":\"\x1b[31mnoon\"}\n",
            "cannot be replayed",
        ),
        (
            "wall 2",
            b"{\"kind\":\"header\",\"v\":1,\"ts\":1,\"wall\":\"noon\"}\n",
            "no RFC 3339 time: `noon`",
        ),
        ("zst", b"\x28\xb5\x2f\xfd\0\0\0\0", "it is empty"),
        (
            "zst 2",
            b"\x28\xb5\x2f\xfd\0\0\xff\xff\xff\xff\xff\xff",
            "its compression is damaged",
        ),
    ] {
        let told = replay(&written(name, bytes), &[]);
        assert_one_sentence(&told, 1, &[part]);
        assert_eq!(told.stdout, "", "{name}");
    }
    assert_one_sentence(
        &run(&mut tracer(&["replay", "/nonexistent"])),
        1,
        &["cannot read /nonexistent: No such file"],
    );
    assert_one_sentence(
        &run(&mut tracer(&["replay", "/"])),
        1,
        &["cannot read /: Is a directory"],
    );
    let usage = run(&mut tracer(&["replay"]));
    assert_eq!(usage.code, Some(2));
    for option in ["--until=noon", "--speed=0", "--speed=fast", "--until=-5s"] {
        assert_eq!(
            run(&mut tracer(&["replay", "x", option])).code,
            Some(2),
            "{option}"
        );
    }
}

#[test]
fn hostile_names_stay_harmless() {
    let hostile = leak(60)
        .replace("\"comm\":\"ctl\"", "\"comm\":\"\\u001b[2J\\u202e\"")
        .replace("--loop", "\\u001b]0;x\\u0007");
    let told = replay(&written("hostile", hostile), &["--interval", "20s"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("LEAK"), "{}", told.stdout);
    for text in [&told.stdout, &told.stderr] {
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
    }
}

#[test]
fn a_line_of_a_gigabyte_takes_no_memory() {
    let path = scratch("gigabyte");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(leak(1).as_bytes()).unwrap();
    // A hole: it takes no room on the disk either.
    file.set_len(1 << 30).unwrap();
    drop(file);
    // 512 MiB of address space is more than it needs, and less than the line.
    let mut command =
        support::run::tracer_under(&["sh", "-c", "ulimit -v 524288; exec \"$0\" \"$@\""], &["replay"]);
    let told = run(command.arg(&path));
    fs::remove_file(&path).unwrap();
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(
        told.stderr.contains("ends in the middle of line 4"),
        "{}",
        told.stderr
    );
}

/// Connections of many processes and peers that open, carry something and close: so many events in a minute and a half
/// of recorded time for each million.
fn traffic(path: &PathBuf, events: u64) {
    /// Connections open at a time.
    const OPEN: u64 = 4096;
    let mut file = io::BufWriter::with_capacity(1 << 20, fs::File::create(path).unwrap());
    let header = "{\"kind\":\"header\",\"v\":1,\"ts\":1000000000,\"wall\":\"2026-11-22T10:00:01Z\"}";
    writeln!(file, "{header}").unwrap();
    for pid in 0..200 {
        writeln!(
            file,
            "{{\"kind\":\"process\",\"ts\":1000000000,\"pid\":{pid},\"start\":5,\"comm\":\"server-{pid}\"}}"
        )
        .unwrap();
    }
    let mut random = 1_u64;
    for event in 0..events {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (ts, id) = (2 * SECOND + event * 90_000, event / 9 * 4 + event % 9 / 2);
        let (pid, peer, port) = (id % 200, id % 250, 1024 + id % 60_000);
        match event % 9 {
            0 | 2 | 4 | 6 => writeln!(
                file,
                "{{\"kind\":\"opened\",\"ts\":{ts},\"id\":\"{id}\",\"pid\":{pid},\"start\":5,\"direction\":\"inbound\",\
                 \"local\":\"10.0.0.1:{}\",\"peer\":\"10.0.1.{peer}:{port}\",\"netns\":4026531840}}",
                8000 + pid % 8
            ),
            8 => writeln!(
                file,
                "{{\"kind\":\"activity\",\"ts\":{ts},\"id\":\"{}\",\"sent\":{},\"received\":1}}",
                id.saturating_sub(1 + (random >> 33) % OPEN),
                random >> 40
            ),
            _ => writeln!(
                file,
                "{{\"kind\":\"released\",\"ts\":{ts},\"id\":\"{}\",\"lifetime\":1}}",
                id.saturating_sub(OPEN)
            ),
        }
        .unwrap();
    }
    file.flush().unwrap();
}

/// `TRACER_EVENTS=10000000 cargo test --release -p tracer --test replay -- --ignored --nocapture how_fast`
#[test]
#[ignore = "a measurement; 10 million events take 1.2 GB"]
fn how_fast_it_is() {
    let events: u64 = std::env::var("TRACER_EVENTS").map_or(1_000_000, |events| events.parse().unwrap());
    let path = scratch("traffic");
    traffic(&path, events);
    let began = std::time::Instant::now();
    let replayed = replay(&path, &["--output", "json"]);
    let seconds = began.elapsed().as_secs_f64();
    let size = fs::metadata(&path).unwrap().len();
    fs::remove_file(&path).unwrap();
    assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (rate, bytes) = (events as f64 / seconds / 1e6, size as f64 / seconds / 1e6);
    println!("{events} events in {seconds:.2} s: {rate:.2} million a second, {bytes:.0} MB/s");
}
