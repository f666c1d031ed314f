//! Which code opened what is still open.

use super::lines::{column, labelled};
use crate::{
    model::code::Code,
    output::stack::{chain, missing, place},
};

/// Where most were opened, and the calls that led there.
pub(super) fn tell(text: &mut String, code: &Code, all: bool) {
    let Code { open, culprit, .. } = code;
    let first = match culprit {
        Some((frame, count)) if count == open => format!("all {open} open were opened at {}", place(frame)),
        Some((frame, count)) => format!("{count} of the {open} open were opened at {}", place(frame)),
        None if code.stacks.is_empty() => format!("which code opened the {open} open is not known"),
        None => format!("none of the {open} open was opened by a known frame of the program itself"),
    };
    labelled(text, "code:", &first);
    let width = open.to_string().len();
    let entry = |count: u32, what: &str| format!("{count:>width$}: {what}");
    let stacks = code
        .stacks
        .iter()
        .map(|(trace, count)| entry(*count, &chain(trace, all)));
    let elsewhere = (code.elsewhere > 0).then(|| entry(code.elsewhere, "in other ways"));
    let unknown = code
        .unknown
        .iter()
        .map(|(why, count)| entry(*count, &format!("stack unavailable: {}", missing(*why))));
    column(text, "", stacks.chain(elsewhere).chain(unknown));
}
