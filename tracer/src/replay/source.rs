//! The files of a recording, read ahead by a thread of their own.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
    time::SystemTime,
};

use anyhow::{Context as _, anyhow};

use super::compressed::{self, Frames};
use crate::{
    output::sanitize,
    recording::{
        line::Line,
        reader::{Entry, ReadError, Reader},
        wall,
    },
};

/// Bytes read at once.
const BLOCK: usize = 128 * 1024;
/// Blocks that are read ahead.
const AHEAD: usize = 4;

/// What comes from a file.
pub enum Piece {
    /// A file begins; its name, for people.
    File(String),
    /// Lines.
    Entries(Vec<Entry>),
    /// The last line of a file is cut off; what to say of it.
    Cut(String),
    /// It cannot be read on.
    Failed(anyhow::Error),
}

/// One recording, in the order of its files.
pub struct Source {
    pieces: Receiver<Piece>,
    used: Sender<Vec<Entry>>,
}

impl Source {
    /// Opens the files, and begins to read.
    ///
    /// # Errors
    /// When one of several cannot be read, or is no recording; of a single one this is a [piece](Piece::Failed).
    pub fn open(paths: Vec<PathBuf>) -> anyhow::Result<Self> {
        let paths = in_order(paths)?;
        let (to, pieces) = sync_channel(AHEAD);
        let (used, again) = channel();
        thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || {
                for path in paths {
                    if let Err(error) = read(&path, &to, &again) {
                        // Nobody may be listening any more.
                        let _: Result<_, _> = to.send(Piece::Failed(error));
                        return;
                    }
                }
            })
            .context("no thread can be started")?;
        Ok(Self { pieces, used })
    }

    /// The next piece; `None` after the last.
    pub fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().ok()
    }

    /// Gives back the memory of a piece.
    pub fn give_back(&mut self, mut entries: Vec<Entry>) {
        entries.clear();
        // The reader may have ended.
        let _: Result<_, _> = self.used.send(entries);
    }
}

/// By the times at which they began. What comes through a pipe can be read once only, and stays where it is.
fn in_order(paths: Vec<PathBuf>) -> anyhow::Result<Vec<PathBuf>> {
    if paths.len() == 1 || paths.iter().any(|path| !path.is_file()) {
        return Ok(paths);
    }
    let mut dated = paths
        .into_iter()
        .map(|path| Ok((began(&path)?, path)))
        .collect::<anyhow::Result<Vec<(SystemTime, PathBuf)>>>()?;
    dated.sort_by_key(|(began, _)| *began);
    Ok(dated.into_iter().map(|(_, path)| path).collect())
}

/// When a recording began, from its first line.
fn began(path: &Path) -> anyhow::Result<SystemTime> {
    let mut file = open(path)?;
    let mut reader = Reader::new();
    let mut entries = Vec::new();
    let mut block = vec![0; BLOCK];
    while entries.is_empty() {
        let length =
            read_some(&mut *file, &mut block).with_context(|| format!("cannot read {}", name(path)))?;
        let bytes = block.get(..length).unwrap_or_default();
        reader
            .read(bytes, &mut entries)
            .map_err(|error| refused(path, &error))?;
        if length == 0 {
            reader
                .finish(&mut entries)
                .map_err(|error| refused(path, &error))?;
            break;
        }
    }
    match entries.first() {
        Some(Entry::Line(Line::Header(header))) => {
            wall_of(&header.wall).with_context(|| format!("{} cannot be replayed", name(path)))
        }
        _ => Err(anyhow!("{} cannot be replayed: it has no header", name(path))),
    }
}

/// The wall-clock time of a header.
///
/// # Errors
/// When it is none.
pub fn wall_of(text: &str) -> anyhow::Result<SystemTime> {
    wall::parse(text).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        anyhow!(
            "the `wall` of its header is no RFC 3339 time: `{}`",
            sanitize::printable(text.as_bytes())
        )
    })
}

fn read(path: &Path, to: &SyncSender<Piece>, again: &Receiver<Vec<Entry>>) -> anyhow::Result<()> {
    let mut file = open(path)?;
    let mut reader = Reader::new();
    let mut block = vec![0; BLOCK];
    if to.send(Piece::File(name(path))).is_err() {
        return Ok(());
    }
    loop {
        let (length, is_cut) = match read_some(&mut *file, &mut block) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => (0, true),
            read => (
                read.with_context(|| format!("cannot read {}", name(path)))?,
                false,
            ),
        };
        let mut entries = again.try_recv().unwrap_or_default();
        if length == 0 {
            let cut = reader
                .finish(&mut entries)
                .map_err(|error| refused(path, &error))?;
            let cut = match cut {
                Some(line) => Some(format!(
                    "{} ends in the middle of line {line}: used up to the line before",
                    name(path)
                )),
                None => is_cut.then(|| format!("the compression of {} ends in its middle", name(path))),
            };
            let cut = cut.map(Piece::Cut);
            for piece in [Some(Piece::Entries(entries)), cut].into_iter().flatten() {
                if to.send(piece).is_err() {
                    break;
                }
            }
            return Ok(());
        }
        let bytes = block.get(..length).unwrap_or_default();
        let read = reader.read(bytes, &mut entries);
        if to.send(Piece::Entries(entries)).is_err() {
            return Ok(());
        }
        read.map_err(|error| refused(path, &error))?;
    }
}

/// What a file holds, compressed or not.
fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    let mut file: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("cannot read {}", name(path)))?)
    };
    let mut head = Vec::new();
    file.by_ref()
        .take(compressed::MAGIC.len() as u64)
        .read_to_end(&mut head)
        .with_context(|| format!("cannot read {}", name(path)))?;
    let is_compressed = head == compressed::MAGIC;
    let whole = io::Cursor::new(head).chain(file);
    Ok(if is_compressed {
        Box::new(Frames::new(BufReader::with_capacity(BLOCK, whole)))
    } else {
        Box::new(whole)
    })
}

fn read_some(file: &mut dyn Read, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn refused(path: &Path, error: &ReadError) -> anyhow::Error {
    let why = sanitize::printable(error.to_string().as_bytes());
    anyhow!("{} cannot be replayed: {why}", name(path))
}

/// A path for people.
fn name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "stdin".to_owned()
    } else {
        sanitize::printable(path.as_os_str().as_encoded_bytes())
    }
}
