//! Recordings: reading lines, and `tracer replay` of a long one.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tracer::{
    model::time::Time,
    recording::{journal::Journal, reader::Reader},
};

use super::{float, memory, timed};
use crate::{
    count::Counting,
    engine::Engine,
    figure::Figure,
    stream::Stream,
    world::{BEGIN, World},
};

/// Who is recorded.
const WORLD: World = World {
    processes: 100,
    peers: 10,
};
const OPEN: usize = 10_000;
const PER_SECOND: u64 = 5_000;
/// As `tracer replay` reads it.
const BLOCK: usize = 128 * 1024;

/// A recording as the tracer writes it, a piece at a time.
struct Recorder {
    engine: Engine,
    stream: Stream,
    begun: bool,
}

impl Recorder {
    fn new() -> Self {
        let mut engine = Engine::new(1 << 20, 1 << 14);
        engine.keep_journal();
        Self {
            engine,
            stream: Stream::new(WORLD, OPEN, PER_SECOND),
            begun: false,
        }
    }

    /// The next lines, and how many they are.
    fn piece(&mut self) -> (Vec<u8>, u64) {
        let mut text = Vec::new();
        let mut lines = 0;
        if !self.begun {
            self.begun = true;
            text.extend_from_slice(header(BEGIN).as_bytes());
            lines += 1;
        }
        for record in self.stream.batch(5_000).records() {
            self.engine.record(record);
        }
        if let Some((more, count)) = self.engine.journal.as_mut().map(Journal::take) {
            text.extend_from_slice(&more);
            lines += count;
        }
        (text, lines)
    }
}

fn header(ts: Time) -> String {
    let ts = ts.0;
    format!(
        "{{\"kind\":\"header\",\"v\":1,\"ts\":{ts},\"wall\":\"2026-01-01T00:00:00Z\",\"backend\":\"fentry\",\
         \"tracer\":{{\"run\":1,\"ordered\":true}}}}\n"
    )
}

/// Lines read per second, without playing them.
pub fn measure(figures: &mut Vec<Figure>) {
    let (text, lines) = text(500_000);
    let mut fastest = f64::INFINITY;
    for _ in 0..3 {
        let (read, took) = timed(|| read(&text));
        debug_assert_eq!(read as u64, lines, "every line is read");
        fastest = fastest.min(took.as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of lines")]
    let rate = lines as f64 / fastest * 1e-6;
    figures.push(Figure::new(
        "lines of a recording, read by one thread",
        rate,
        "million/s",
    ));
}

/// Allocations for each line that is read.
pub fn allocations() -> f64 {
    let (text, lines) = text(100_000);
    let counting = Counting::new();
    let read = read(&text);
    let allocations = counting.allocations();
    debug_assert_eq!(read as u64, lines, "every line is read");
    float(allocations) / float(read)
}

fn text(at_least: u64) -> (Vec<u8>, u64) {
    let mut recorder = Recorder::new();
    let (mut text, mut lines) = (Vec::new(), 0);
    while lines < at_least {
        let (more, count) = recorder.piece();
        text.extend_from_slice(&more);
        lines += count;
    }
    (text, lines)
}

fn read(text: &[u8]) -> usize {
    let mut reader = Reader::new();
    let mut entries = Vec::new();
    let mut count = 0;
    for block in text.chunks(BLOCK) {
        if reader.read(block, &mut entries).is_err() {
            return 0;
        }
        count += entries.len();
        entries.clear();
    }
    count
}

/// Replays a recording of so many lines with that program.
///
/// # Errors
/// When the recording cannot be written, or the replay fails.
pub fn replay(tracer: &Path, directory: &Path, lines: u64, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let recording = Recording::write(directory, lines)?;
    let began = Instant::now();
    let mut child = Command::new(tracer)
        .arg("replay")
        .arg(&recording.path)
        .args(["--output", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", tracer.display()))?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0.0_f64;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        // What it grows to in its last moments is not seen.
        if let Ok(now) = fs::read_to_string(&status)
            .context("")
            .and_then(|text| memory::peak(&text))
        {
            peak = peak.max(now);
        }
        thread::sleep(Duration::from_millis(20));
    };
    let took = began.elapsed().as_secs_f64();
    ensure!(ended.success(), "the replay ended with {ended}");
    #[expect(clippy::cast_precision_loss, reason = "a number of lines")]
    let rate = recording.lines as f64 / took * 1e-6;
    let name = format!("tracer replay, {} lines", recording.lines);
    figures.push(Figure::new(&name, rate, "million/s").at_least(1.0));
    figures.push(Figure::new(format!("{name}: peak resident"), peak, "MiB"));
    Ok(())
}

/// A file that is deleted again.
struct Recording {
    path: PathBuf,
    lines: u64,
}

impl Recording {
    fn write(directory: &Path, at_least: u64) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut recording = Self {
            path: directory.join(format!("replay-{}.jsonl", std::process::id())),
            lines: 0,
        };
        let file = File::create_new(&recording.path)
            .with_context(|| format!("cannot write {}", recording.path.display()))?;
        let mut file = BufWriter::new(file);
        let mut recorder = Recorder::new();
        while recording.lines < at_least {
            let (text, count) = recorder.piece();
            file.write_all(&text).context("cannot write the recording")?;
            recording.lines += count;
        }
        file.flush().context("cannot write the recording")?;
        Ok(recording)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // It may never have come about.
        let _: std::io::Result<()> = fs::remove_file(&self.path);
    }
}
