//! Lines about stacks.

use schemars::JsonSchema;
use serde::Serialize;

use super::Nanos;
use crate::model::stack::{Cut, Frame, Origin, StackId, Trace};

/// What a stack looks like that `opened` lines name.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stack<'a> {
    /// When that became known.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// Which.
    pub id: String,
    /// From the system call outwards.
    pub frames: Vec<StackFrame<'a>>,
    /// Why it ends early: `no_frame_pointer`, `deep` or `strange`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<&'static str>,
}

/// One frame.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StackFrame<'a> {
    /// Name of the function; empty if unknown.
    pub function: &'a str,
    /// Source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    /// Line in it: that of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The file that the code is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
    /// Offset of the call in that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Build id of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<&'a str>,
    /// The compiler has put it into its caller.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inlined: bool,
    /// It is a library's or a runtime's, not the program's own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub library: bool,
}

impl<'a> Stack<'a> {
    /// The line.
    pub fn new(ts: Nanos, id: StackId, trace: &'a Trace) -> Self {
        Self {
            ts,
            id: id.0.to_string(),
            frames: trace.frames.iter().map(|frame| StackFrame::new(frame)).collect(),
            cut: trace.cut.map(Cut::name),
        }
    }
}

impl<'a> StackFrame<'a> {
    fn new(frame: &'a Frame) -> Self {
        Self {
            function: frame.function.as_deref().unwrap_or_default(),
            file: frame.file.as_deref(),
            line: frame.line.map(std::num::NonZero::get),
            module: frame.module.as_deref(),
            offset: frame.offset,
            build_id: frame.build_id.as_deref(),
            inlined: frame.inlined,
            library: frame.origin == Origin::Library,
        }
    }
}
