use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::model::ledger::Limits;

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tracer-record-{}-{name}", std::process::id()));
        let _: io::Result<()> = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _: io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

struct Recording {
    recorder: Recorder,
    journal: Journal,
    ledger: Ledger,
    wall: Wall,
}

impl Recording {
    fn new(path: PathBuf, size: u64, total: u64) -> anyhow::Result<Self> {
        let mut recorder = Recorder::create(RecordSettings { path, size, total })?;
        let mut journal = Journal::new();
        let ledger = Ledger::new(Limits::default());
        let wall = Wall::new(Time(0), std::time::SystemTime::UNIX_EPOCH);
        let run = Run {
            began: at(1),
            backend: "fentry".to_owned(),
            filters: "all connections".to_owned(),
            degraded: Vec::new(),
            netns: None,
            ports: None,
        };
        recorder.start(run, &mut journal, &ledger, wall);
        Ok(Self {
            recorder,
            journal,
            ledger,
            wall,
        })
    }

    fn tick(&mut self, second: u64) {
        self.journal.tick(at(second));
        self.recorder
            .save(&mut self.journal, &self.ledger, self.wall, at(second));
    }
}

fn at(second: u64) -> Time {
    Time(0) + Duration::from_secs(second)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_file_is_for_its_owner_and_whole_after_each_tick() {
    let scratch = Scratch::new("owner");
    let path = scratch.path("rec");
    let mut recording = Recording::new(path.clone(), 1 << 20, 1 << 30).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    recording.tick(2);
    recording.tick(3);
    let text = text(&path);
    assert!(
        text.starts_with("{\"kind\":\"header\",\"v\":1,\"ts\":1000000000,"),
        "{text}"
    );
    assert!(
        text.ends_with("{\"kind\":\"tick\",\"ts\":3000000000}\n"),
        "{text}"
    );
}

#[test]
fn what_is_no_recording_is_left_alone() {
    let scratch = Scratch::new("alone");
    let path = scratch.path("precious");
    fs::write(&path, "dear diary").unwrap();
    let error = Recording::new(path.clone(), 1 << 20, 1 << 30).err().unwrap();
    assert!(
        error.to_string().contains("it exists, and is no recording"),
        "{error}"
    );
    assert_eq!(text(&path), "dear diary");

    let link = scratch.path("link");
    symlink(&path, &link).unwrap();
    assert!(Recording::new(link.clone(), 1 << 20, 1 << 30).is_err());
    let dangling = scratch.path("dangling");
    symlink(scratch.path("nowhere"), &dangling).unwrap();
    assert!(Recording::new(dangling, 1 << 20, 1 << 30).is_err());
    assert!(!scratch.path("nowhere").exists());
    assert!(
        Recording::new(scratch.path(""), 1 << 20, 1 << 30).is_err(),
        "a directory"
    );
}

#[test]
fn an_earlier_recording_is_put_aside() {
    let scratch = Scratch::new("aside");
    let path = scratch.path("rec");
    let mut first = Recording::new(path.clone(), 1 << 20, 1 << 30).unwrap();
    first.tick(2);
    let written = text(&path);
    let mut second = Recording::new(path.clone(), 1 << 20, 1 << 30).unwrap();
    second.tick(5);
    assert_eq!(text(&scratch.path("rec.1")), written);
    assert!(text(&path).ends_with("{\"kind\":\"tick\",\"ts\":5000000000}\n"));
}

#[test]
fn full_files_are_put_aside_and_the_oldest_deleted() {
    let scratch = Scratch::new("rotation");
    let path = scratch.path("rec");
    fs::write(scratch.path("rec.0x"), "another's").unwrap();
    fs::write(scratch.path("rec.007"), "another's").unwrap();
    let mut recording = Recording::new(path.clone(), 4096, 16384).unwrap();
    for second in 2..2000 {
        recording.tick(second);
    }
    let parts = parts(&path).unwrap();
    let sum: u64 = parts
        .iter()
        .map(|(_, part)| fs::metadata(part).unwrap().len())
        .sum();
    assert!(parts.len() > 1, "{parts:?}");
    assert!(sum + fs::metadata(&path).unwrap().len() <= 16384, "{sum}");
    for (_, part) in &parts {
        let text = text(part);
        assert!(text.starts_with("{\"kind\":\"header\""), "{text}");
        assert!(text.contains("{\"kind\":\"state\""), "{text}");
    }
    assert!(scratch.path("rec.0x").exists() && scratch.path("rec.007").exists());
}

#[test]
fn what_cannot_be_written_is_counted_and_told_later() {
    let scratch = Scratch::new("gap");
    let path = scratch.path("rec");
    let mut recording = Recording::new(path.clone(), 1 << 20, 1 << 30).unwrap();
    recording.tick(2);
    let before = text(&path);
    // A descriptor that cannot be written: as good as a full disk.
    let good = std::mem::replace(&mut recording.recorder.file, File::open("/dev/null").unwrap());
    recording.tick(3);
    recording.tick(4);
    recording.recorder.file = good;
    recording.tick(5);
    assert_eq!(text(&path), before, "it does not try all the time");
    recording.tick(13);
    recording.tick(14);
    let after = text(&path);
    let news = after.strip_prefix(&before).unwrap();
    assert!(news.starts_with("{\"kind\":\"header\""), "{news}");
    let loss =
        "{\"kind\":\"loss\",\"ts\":13000000000,\"count\":4,\"cause\":\"recording\",\"since\":3000000000}\n";
    assert!(news.contains(loss), "{news}");
    assert!(
        news.ends_with("{\"kind\":\"tick\",\"ts\":14000000000}\n"),
        "{news}"
    );
}
