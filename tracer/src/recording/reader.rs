//! Bytes in, lines out. Whatever the bytes are: memory is bounded, and what cannot be used is named by its number.

use std::{fmt, time::Duration};

use super::line::Line;
use crate::model::time::Time;

/// A longer line is not kept.
pub const LONGEST: usize = 1 << 20;
/// How much earlier than the newest line a line may be: events of several sources are not quite in order.
pub const REORDERING: Duration = Duration::from_secs(1);
/// How much later: no machine stands still for longer, and a broken number would stop all lines after it.
const LONGEST_PAUSE: Duration = Duration::from_hours(366 * 24);
/// Rejected lines of a file that are told with a reason.
const EXPLAINED: u64 = 10;

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A line.
    Line(Line),
    /// A line of a kind that is not known here.
    Unknown,
    /// A line that cannot be used; why, of the first ones.
    Rejected(Option<Box<Rejected>>),
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its number in its file, from 1.
    pub line: u64,
    /// What is wrong with it; may quote it, so hostile until an output escapes it.
    pub why: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// The bytes are no recording that can be read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is nothing.
    #[error("it is empty: a recording begins with a header")]
    Empty,
    /// The first line is something else.
    #[error("it is not a recording, which begins with a header ({0})")]
    NoHeader(Rejected),
}

/// Reads one file.
#[derive(Default)]
pub struct Reader {
    /// The beginning of a line whose end did not come yet.
    carry: Vec<u8>,
    /// Whether the rest of a line is skipped, because it is too long.
    is_skipping: bool,
    /// Lines that ended.
    lines: u64,
    /// The newest time; `None` before the header.
    newest: Option<Time>,
    explained: u64,
}

impl Reader {
    /// At the beginning of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes, and appends what the lines say that end in them.
    ///
    /// # Errors
    /// When this is no recording. Nothing more should be read from it then.
    pub fn read(&mut self, bytes: &[u8], entries: &mut Vec<Entry>) -> Result<(), ReadError> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = tail.get(1..).unwrap_or_default();
            if self.carry.is_empty() && !self.is_skipping {
                self.take_line(head, entries)?;
            } else {
                self.keep(head);
                self.take_kept(entries)?;
            }
        }
        self.keep(rest);
        Ok(())
    }

    /// Ends the file. A last line without an end counts if it is whole; if not, gives its number.
    ///
    /// # Errors
    /// When this was no recording.
    pub fn finish(mut self, entries: &mut Vec<Entry>) -> Result<Option<u64>, ReadError> {
        if !self.is_skipping && !is_blank(&self.carry) {
            let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(&self.carry).is_ok();
            if is_whole {
                self.take_kept(entries)?;
            }
        }
        if self.newest.is_none() {
            return Err(if is_blank(&self.carry) && !self.is_skipping {
                ReadError::Empty
            } else {
                ReadError::NoHeader(self.rejected("it is not whole"))
            });
        }
        let is_cut = self.is_skipping || !is_blank(&self.carry);
        Ok(is_cut.then_some(self.lines + 1))
    }

    /// Keeps a part of a line, unless the line is too long already.
    fn keep(&mut self, part: &[u8]) {
        if self.is_skipping || self.carry.len() + part.len() > LONGEST {
            self.is_skipping = true;
            self.carry = Vec::new();
        } else {
            self.carry.extend_from_slice(part);
        }
    }

    fn take_kept(&mut self, entries: &mut Vec<Entry>) -> Result<(), ReadError> {
        if std::mem::take(&mut self.is_skipping) {
            self.lines += 1;
            return self.reject("it is longer than 1 MiB", entries);
        }
        let line = std::mem::take(&mut self.carry);
        let taken = self.take_line(&line, entries);
        // Its memory serves the next one.
        self.carry = line;
        self.carry.clear();
        taken
    }

    fn take_line(&mut self, line: &[u8], entries: &mut Vec<Entry>) -> Result<(), ReadError> {
        self.lines += 1;
        if line.len() > LONGEST {
            return self.reject("it is longer than 1 MiB", entries);
        }
        if is_blank(line) {
            return Ok(());
        }
        let Ok(text) = str::from_utf8(line) else {
            return self.reject("it is not UTF-8", entries);
        };
        // Some editors put it there.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match Line::parse(text) {
            Ok(Some(line)) => self.take(line, entries),
            Ok(None) if self.newest.is_none() => self.reject("it is not a header", entries),
            Ok(None) => {
                entries.push(Entry::Unknown);
                Ok(())
            }
            Err(error) => self.reject(&reason(&error), entries),
        }
    }

    fn take(&mut self, line: Line, entries: &mut Vec<Entry>) -> Result<(), ReadError> {
        let ts = line.ts();
        let newest = match (&line, self.newest) {
            (Line::Header(_), _) => ts,
            (_, None) => return self.reject("it is not a header", entries),
            (_, Some(newest)) if newest.since(ts) > REORDERING => {
                let back = newest.since(ts).as_secs_f64();
                return self.reject(
                    &format!("its time is {back:.3} s before that of a line above it, and 1 s is the most"),
                    entries,
                );
            }
            (_, Some(newest)) if ts.since(newest) > LONGEST_PAUSE => {
                return self.reject(
                    "its time is more than a year after that of the line above it",
                    entries,
                );
            }
            (_, Some(newest)) => newest.max(ts),
        };
        self.newest = Some(newest);
        entries.push(Entry::Line(line));
        Ok(())
    }

    fn reject(&mut self, why: &str, entries: &mut Vec<Entry>) -> Result<(), ReadError> {
        let rejected = self.rejected(why);
        if self.newest.is_none() {
            return Err(ReadError::NoHeader(rejected));
        }
        self.explained += 1;
        let explained = (self.explained <= EXPLAINED).then(|| Box::new(rejected));
        entries.push(Entry::Rejected(explained));
        Ok(())
    }

    fn rejected(&self, why: &str) -> Rejected {
        Rejected {
            line: self.lines.max(1),
            why: why.to_owned(),
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// Every line is one line to the parser, so its number says nothing.
fn reason(error: &serde_json::Error) -> String {
    /// Enough for any field, and what stands there.
    const LENGTH: usize = 300;
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let what: String = text
        .strip_suffix(&place)
        .unwrap_or(&text)
        .chars()
        .take(LENGTH)
        .collect();
    match error.column() {
        0 => what,
        column => format!("{what} (column {column})"),
    }
}
