//! What is open, by the code that opened it: folded stacks, the format of flame graph tools. A line per stack: the
//! process, then the functions from the beginning of the thread to the system call, and the number of connections.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{stack, text};
use crate::model::{
    ledger::Ledger,
    stack::{Missing, Trace},
};

/// What was open before anybody watched, in a line of its own.
const BEFORE: &str = "[opened before]";

/// The stacks, as they stand in a line, and their numbers.
pub fn stacks(ledger: &Ledger) -> Vec<(String, u32)> {
    collect(ledger, false)
}

/// The same of what opened while somebody watched; the rest is one line.
pub fn stacks_since(ledger: &Ledger) -> Vec<(String, u32)> {
    collect(ledger, true)
}

fn collect(ledger: &Ledger, is_before_apart: bool) -> Vec<(String, u32)> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut lines = std::collections::HashMap::new();
    for (_, connection) in ledger
        .connections()
        .filter(|(_, connection)| connection.phase.is_held())
    {
        if is_before_apart && connection.older {
            *counts.entry(BEFORE.to_owned()).or_default() += 1;
            continue;
        }
        let process = connection.group.process;
        let line = lines.entry((process, connection.stack)).or_insert_with(|| {
            let name = part(&text::process(process, ledger.name(process)));
            match ledger.trace_of(connection.stack) {
                Ok(trace) => format!("{name};{}", folded(trace)),
                Err(why) => format!("{name};{}", unavailable(why)),
            }
        });
        if let Some(count) = counts.get_mut(line.as_str()) {
            *count += 1;
        } else {
            counts.insert(line.clone(), 1);
        }
    }
    counts.into_iter().collect()
}

/// The lines.
pub fn lines(stacks: &[(String, u32)]) -> String {
    stacks.iter().fold(String::new(), |mut text, (stack, count)| {
        // Writing to a String cannot fail.
        let _: std::fmt::Result = writeln!(text, "{stack} {count}");
        text
    })
}

fn folded(trace: &Trace) -> String {
    let outer = trace.cut.map(|cut| format!("[{}]", cut.name()));
    let frames = trace.frames.iter().rev().map(|frame| part(&stack::place(frame)));
    outer.into_iter().chain(frames).collect::<Vec<_>>().join(";")
}

fn unavailable(why: Missing) -> String {
    format!("[stack unavailable: {}]", stack::missing(why))
}

/// Nothing may look like the end of a frame; nothing that is not printable is left.
fn part(name: &str) -> String {
    name.replace(';', ":")
}
