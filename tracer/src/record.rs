//! `--record`: the files of a recording.
//!
//! Written once a second, so that whatever ends the tracer leaves all but the last second behind. What cannot be written
//! does not stop the tracing: it is told once, counted, and made good by telling again what is open.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use log::{info, warn};

use crate::{
    model::{ledger::Ledger, time::Time},
    output::{json::Wall, sanitize},
    recording::{
        journal::Journal,
        line::VERSION,
        wall,
        written::{Header, Nanos, Origin},
    },
};

/// How every file begins.
const BEGIN: &[u8] = b"{\"kind\":\"header\"";
/// How long to wait before another attempt to write, after one that failed.
const RETRY: Duration = Duration::from_secs(10);
/// More bytes than this do not wait for the next tick.
const IMPATIENT: usize = 1 << 20;

/// What to record where.
#[derive(Clone, Debug)]
pub struct RecordSettings {
    /// The file that is written.
    pub path: PathBuf,
    /// A file that is larger is put aside.
    pub size: u64,
    /// All files together are no larger: the oldest are deleted.
    pub total: u64,
}

/// What the header says of this run.
#[derive(Clone, Debug)]
pub struct Run {
    /// When it began.
    pub began: Time,
    /// The hooks in use.
    pub backend: String,
    /// What is recorded.
    pub filters: String,
    /// What is seen late, or not at all.
    pub degraded: Vec<String>,
    /// The tracer's own network namespace.
    pub netns: Option<u32>,
    /// Number of ephemeral ports.
    pub ports: Option<u32>,
}

/// The recording under way.
pub struct Recorder {
    settings: RecordSettings,
    run: Option<Run>,
    file: File,
    /// Bytes of whole lines in the file.
    length: u64,
    /// Bytes of these that tell what was open at its beginning.
    state: u64,
    /// What could not be written.
    gap: Option<Gap>,
    /// The file is put aside when it is larger than this.
    rotate_at: u64,
}

struct Gap {
    since: Time,
    lines: u64,
    retry: Time,
}

impl Recorder {
    /// Creates the file. One of that name is put aside if it is a recording, and left alone if it is anything else.
    ///
    /// # Errors
    /// When it cannot be created, or something else is there.
    pub fn create(settings: RecordSettings) -> anyhow::Result<Self> {
        let path = &settings.path;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot record to {}", name(path))),
            Ok(there) if there.len() == 0 && there.is_file() => {
                fs::remove_file(path).with_context(|| format!("cannot record to {}", name(path)))?;
            }
            Ok(_) if is_recording(path) => {
                put_aside(path)
                    .with_context(|| format!("the recording {} cannot be put aside", name(path)))?;
            }
            Ok(_) => bail!("cannot record to {}: it exists, and is no recording", name(path)),
        }
        let file = new_file(path).with_context(|| format!("cannot record to {}", name(path)))?;
        Ok(Self {
            file,
            length: 0,
            state: 0,
            gap: None,
            rotate_at: settings.size,
            settings,
            run: None,
        })
    }

    /// The first lines of all.
    pub fn start(&mut self, run: Run, journal: &mut Journal, ledger: &Ledger, wall: Wall) {
        let began = run.began;
        self.run = Some(run);
        self.begin(journal, ledger, wall, began);
    }

    fn begin(&mut self, journal: &mut Journal, ledger: &Ledger, wall: Wall, now: Time) {
        if let Some(run) = &self.run {
            journal.begin(&run.header(wall, now));
        }
        journal.state(ledger, now);
    }

    /// Writes if there is much to write.
    pub fn relieve(&mut self, journal: &mut Journal, now: Time) {
        if journal.len() >= IMPATIENT {
            self.write(journal, now);
        }
    }

    /// Writes what there is, and begins another file where this one is full.
    pub fn save(&mut self, journal: &mut Journal, ledger: &Ledger, wall: Wall, now: Time) {
        match &self.gap {
            Some(gap) if now >= gap.retry => self.close_gap(journal, ledger, wall, now),
            _ => self.write(journal, now),
        }
        // A state that is as large as a file may be must not be told again and again.
        let is_full = self.length >= self.rotate_at && self.length - self.state >= self.state;
        if is_full && self.gap.is_none() {
            self.rotate(journal, ledger, wall, now);
        }
    }

    fn write(&mut self, journal: &mut Journal, now: Time) {
        let (bytes, lines) = journal.take();
        if let Some(gap) = &mut self.gap {
            gap.lines += lines;
            return;
        }
        if let Err(error) = self.append(&bytes) {
            warn!(
                "{} cannot be written ({error}): what happens until it can is missing in the recording",
                name(&self.settings.path)
            );
            let retry = now + RETRY;
            self.gap = Some(Gap {
                since: now,
                lines,
                retry,
            });
        }
    }

    /// All or nothing: what was written in part is cut off, or overwritten later.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(bytes, self.length) {
            let _: io::Result<()> = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn close_gap(&mut self, journal: &mut Journal, ledger: &Ledger, wall: Wall, now: Time) {
        let Some(mut gap) = self.gap.take() else { return };
        gap.lines += journal.take().1;
        self.begin(journal, ledger, wall, now);
        journal.lost("recording", gap.lines, gap.since, now);
        let (bytes, _) = journal.take();
        if self.append(&bytes).is_err() {
            gap.retry = now + RETRY;
            self.gap = Some(gap);
            return;
        }
        info!(
            "{} can be written again: {} lines are missing",
            name(&self.settings.path),
            gap.lines
        );
    }

    fn rotate(&mut self, journal: &mut Journal, ledger: &Ledger, wall: Wall, now: Time) {
        let path = self.settings.path.clone();
        let path = path.as_path();
        match put_aside(path).and_then(|()| new_file(path)) {
            Ok(file) => {
                self.file = file;
                self.length = 0;
                self.rotate_at = self.settings.size;
                self.begin(journal, ledger, wall, now);
                self.write(journal, now);
                self.state = self.length;
                if let Err(error) =
                    delete_oldest(path, self.settings.total.saturating_sub(self.settings.size))
                {
                    warn!("old parts of {} cannot be deleted: {error}", name(path));
                }
            }
            Err(error) => {
                warn!("no next part of {} can be begun: {error}", name(path));
                self.rotate_at = self.length.saturating_add(self.settings.size);
            }
        }
    }
}

impl Run {
    fn header(&self, wall: Wall, now: Time) -> Header<'_> {
        let Self {
            began,
            backend,
            filters,
            degraded,
            netns,
            ports,
        } = self;
        let system = rustix::system::uname();
        Header {
            v: VERSION,
            ts: Nanos(now),
            wall: wall::format(wall.system_time(now)),
            host: Some(system.nodename().to_string_lossy().into_owned().into()),
            kernel: Some(system.release().to_string_lossy().into_owned().into()),
            backend: Cow::Borrowed(backend),
            filters: Cow::Borrowed(filters),
            tracer: Origin {
                version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
                run: began.0,
                ordered: true,
                flags: std::env::args_os()
                    .skip(1)
                    .map(|flag| flag.to_string_lossy().into_owned().into())
                    .collect(),
                degraded: degraded.iter().map(|what| Cow::Borrowed(what.as_str())).collect(),
                netns: *netns,
                ports: *ports,
            },
        }
    }
}

/// For nobody else's eyes, and never through a link that somebody laid there.
fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
}

/// Whether a file begins as a recording does.
fn is_recording(path: &Path) -> bool {
    let file = OpenOptions::new()
        .read(true)
        // A pipe must not keep us waiting.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let mut begin = [0; BEGIN.len()];
    file.is_ok_and(|file| {
        file.metadata().is_ok_and(|there| there.is_file())
            && file.read_exact_at(&mut begin, 0).is_ok()
            && begin == BEGIN
    })
}

/// Renames `PATH` to `PATH.N`, N one more than that of any part there is.
fn put_aside(path: &Path) -> io::Result<()> {
    let last = parts(path)?.last().map_or(0, |(number, _)| *number);
    let number = last
        .checked_add(1)
        .ok_or_else(|| io::Error::other("the numbers are used up"))?;
    fs::rename(path, part(path, number))
}

fn part(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The parts that were put aside, the oldest first.
fn parts(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some(base) = path.file_name().map(|base| base.as_encoded_bytes().to_vec()) else {
        return Ok(Vec::new());
    };
    let mut parts = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.file_name();
        let number = file
            .as_encoded_bytes()
            .strip_prefix(base.as_slice())
            .and_then(|rest| rest.strip_prefix(b"."))
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        if let Some(number) = number
            && part(path, number).file_name() == Some(&file)
        {
            parts.push((number, part(path, number)));
        }
    }
    parts.sort_unstable();
    Ok(parts)
}

/// Deletes the oldest parts until the others are no larger than `total` together.
fn delete_oldest(path: &Path, total: u64) -> io::Result<()> {
    let mut sizes = Vec::new();
    for (_, part) in parts(path)? {
        if is_recording(&part) {
            sizes.push((fs::symlink_metadata(&part)?.len(), part));
        }
    }
    let mut sum: u64 = sizes.iter().map(|(size, _)| size).sum();
    for (size, part) in sizes {
        if sum <= total {
            break;
        }
        fs::remove_file(&part)?;
        sum -= size;
    }
    Ok(())
}

/// A path for people.
fn name(path: &Path) -> String {
    sanitize::printable(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
