//! Frames of stacks, in words.

use std::sync::Arc;

use crate::{
    model::stack::{Cut, Frame, Missing, Origin, Trace},
    output::sanitize,
};

/// Frames of a chain that are shown, unless all are asked for.
const CHAIN: usize = 6;

/// `sync (controller.c:42)`, or `libx.so+0x1f3a [build id 09af]` of code without a name.
pub fn place(frame: &Frame) -> String {
    let base = |path: &str| sanitize::printable(path.rsplit('/').next().unwrap_or(path).as_bytes());
    let module = || {
        frame
            .module
            .as_deref()
            .map_or_else(|| "unknown code".to_owned(), base)
    };
    if frame.is_gap() {
        return "? (a call is missing)".to_owned();
    }
    let Some(function) = &frame.function else {
        let offset = frame
            .offset
            .map_or_else(String::new, |offset| format!("+{offset:#x}"));
        let build = frame.build_id.as_deref().map_or_else(String::new, |id| {
            format!(" [build id {}]", sanitize::printable(id.as_bytes()))
        });
        return format!("{}{offset}{build}", module());
    };
    let function = sanitize::printable(function.as_bytes());
    match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{function} ({}:{line})", base(file)),
        (Some(file), None) => format!("{function} ({})", base(file)),
        (None, _) if frame.module.is_some() => format!("{function} ({})", module()),
        (None, _) => function,
    }
}

/// The calls that led there, the innermost first: those of the program itself, unless all are asked for.
pub fn chain(trace: &Trace, all: bool) -> String {
    let own = || {
        trace
            .frames
            .iter()
            .filter(|frame| frame.origin == Origin::Application)
    };
    let is_foreign = own().next().is_none();
    let frames: Vec<String> = if all {
        trace.frames.iter().map(|frame| place(frame)).collect()
    } else if is_foreign {
        trace
            .frames
            .iter()
            .take(CHAIN)
            .map(|frame| place(frame))
            .collect()
    } else {
        own().take(CHAIN).map(|frame| place(frame)).collect()
    };
    let shown = frames.len();
    let mut chain = frames.join(" <- ");
    if chain.is_empty() {
        chain.push('?');
    }
    let available = if is_foreign {
        trace.frames.len()
    } else {
        own().count()
    };
    if !all && shown < available {
        chain.push_str(" <- ...");
    } else if let Some(cut) = trace.cut {
        chain.push_str(" <- ? ");
        chain.push_str(ends(cut));
    }
    if is_foreign && !trace.frames.is_empty() {
        chain.push_str("; ");
        chain.push_str(why_foreign(trace));
    }
    chain
}

/// Why a stack shows nothing of the program itself.
fn why_foreign(trace: &Trace) -> &'static str {
    let root = trace.frames.last().and_then(|frame| frame.function.as_deref());
    let runs = |name: &str| {
        let files = trace.frames.iter().filter_map(|frame| frame.module.as_deref());
        files
            .filter_map(|path| path.rsplit('/').next())
            .any(|file| file.strip_prefix("lib").unwrap_or(file).starts_with(name))
    };
    let is_nodes = |frame: &Arc<Frame>| {
        frame
            .file
            .as_deref()
            .is_some_and(|file| file.starts_with("node:"))
    };
    if root.is_some_and(|root| root.starts_with("runtime.goexit")) {
        "Go dials in a goroutine of its own, so whoever asked for the connection is not on this stack"
    } else if trace.frames.iter().any(is_nodes) {
        "Node connects from its event loop, so whoever asked for the connection is not on this stack"
    } else if runs("node") {
        "Node names its functions only with --perf-basic-prof --interpreted-frames-native-stack"
    } else if runs("python") {
        "Python names its functions only from 3.12 on, with -X perf"
    } else {
        "no frame of the program itself is known"
    }
}

const fn ends(cut: Cut) -> &'static str {
    match cut {
        Cut::NoFramePointer => "(compiled without frame pointers)",
        Cut::Deep => "(deeper than what is kept)",
        Cut::Strange => "(not followed any further)",
    }
}

/// Why nobody knows which code opened a connection.
pub const fn missing(missing: Missing) -> &'static str {
    match missing {
        Missing::NotAsked => "nobody asked for the stacks of this direction",
        Missing::NoUserStack => "opened without a user stack, by the kernel or io_uring",
        Missing::TableFull => "the table of stacks was full",
        Missing::RingFull => "the ring buffer was full",
        Missing::Older => "older than the tracer",
        Missing::Lost => "its record was lost",
        Missing::NotLookedUp => "not looked up",
    }
}
