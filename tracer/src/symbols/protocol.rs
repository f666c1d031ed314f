//! What the tracer and its helper say to each other: a line of JSON for each stack, and one in return.

use serde::{Deserialize, Serialize};
use tracer_common::stack::WINDOW;

use crate::{
    ingest::stack::RawStack,
    model::{connection::ProcessId, stack::StackId, time::Time},
    recording::line::Stack,
};

/// A question. Everything in it comes from the kernel.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    at: u64,
    id: u64,
    pid: u32,
    start: u64,
    slot: Option<u8>,
    window: [u64; WINDOW],
    frames: Box<[u64]>,
}

impl From<&RawStack> for Question {
    fn from(stack: &RawStack) -> Self {
        let RawStack {
            at,
            id,
            process,
            slot,
            window,
            frames,
        } = stack;
        Self {
            at: at.0,
            id: id.0,
            pid: process.pid,
            start: process.start.0,
            slot: *slot,
            window: *window,
            frames: frames.clone(),
        }
    }
}

impl From<&Question> for RawStack {
    fn from(question: &Question) -> Self {
        Self {
            at: Time(question.at),
            id: StackId(question.id),
            process: ProcessId {
                pid: question.pid,
                start: Time(question.start),
            },
            slot: question.slot,
            window: question.window,
            frames: question.frames.clone(),
        }
    }
}

/// An answer. It has looked into files that others have made: nothing in it is to be trusted.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// What the stack looks like; `None` if nobody could tell.
    #[serde(default)]
    pub stack: Option<Stack>,
    /// Where the innermost function finds its return address; see [`walk`](super::unwind::walk).
    #[serde(default)]
    pub learned: Option<Learned>,
    /// Why there is no stack.
    #[serde(default)]
    pub why: Option<String>,
    /// Whether there will never be one: the helper cannot do its work here.
    #[serde(default)]
    pub broken: bool,
}

/// Where a function finds its return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// An instruction of it.
    pub address: u64,
    /// Index of the word on top of the stack; `None` if it has a frame of its own.
    pub slot: Option<u8>,
}

/// Which file it is, by what cannot be the same for two that differ, and the root in which its process lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// Device and inode number.
    pub place: (u64, u64),
    /// Bytes.
    pub size: u64,
    /// When it was changed last: seconds and nanoseconds.
    pub changed: (i64, i64),
    /// Device and inode number of the root directory of the process: where debug files are looked for.
    pub root: (u64, u64),
}

/// Code of the process that the stack may lead through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// First address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
    /// Where that begins in the file.
    pub offset: u64,
    /// The file as the process names it, or what the kernel calls it.
    pub path: String,
    /// Whether there is a file behind it.
    pub has_file: bool,
    /// The file, if it can be had.
    pub file: Option<FileId>,
}

impl Code {
    /// Where an address lies in the file.
    pub fn offset_of(&self, address: u64) -> u64 {
        address.wrapping_sub(self.start).wrapping_add(self.offset)
    }
}

/// What the half that opens files tells the one that parses them: a stack, and the code at its addresses.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    /// The stack.
    pub question: Question,
    /// Sorted by address.
    pub code: Vec<Code>,
}

impl Task {
    /// Which code lies at an address.
    pub fn find(&self, address: u64) -> Option<usize> {
        let index = self
            .code
            .partition_point(|code| code.start <= address)
            .checked_sub(1)?;
        let code = self.code.get(index)?;
        (address < code.end).then_some(index)
    }
}

/// First byte of a message that is a [`Request`].
pub const ASKS: u8 = b'?';
/// First byte of a message that is an [`Answer`].
pub const ANSWERS: u8 = b'!';

/// What the half that parses asks for. It is not to be trusted: there is nothing to ask for but what follows from the task.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The file behind a piece of code, by its index.
    File(usize),
    /// The same, copied into memory, where this half may not open the file itself once more.
    Copy(usize),
    /// The debug file of a build id, in hexadecimal digits.
    Debug(String),
    /// The names of code that was compiled at run time.
    Names,
}
