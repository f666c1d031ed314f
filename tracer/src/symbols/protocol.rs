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

impl From<Question> for RawStack {
    fn from(question: Question) -> Self {
        Self {
            at: Time(question.at),
            id: StackId(question.id),
            process: ProcessId {
                pid: question.pid,
                start: Time(question.start),
            },
            slot: question.slot,
            window: question.window,
            frames: question.frames,
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
}

/// Where a function finds its return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// An instruction of it.
    pub address: u64,
    /// Index of the word on top of the stack; `None` if it has a frame of its own.
    pub slot: Option<u8>,
}
