//! Which code opened connections, as a record.

use crate::{
    model::{
        code,
        stack::{self, Missing, Origin, Trace},
    },
    output::record::code::{Code, Culprit, Cut, Frame, Reason, Stack, Unknown},
};

pub(super) fn code(code: &code::Code) -> Code {
    let culprit = code.culprit.as_ref().map(|(place, connections)| Culprit {
        connections: *connections,
        frame: frame(place),
    });
    Code {
        open: code.open,
        culprit,
        stacks: code
            .stacks
            .iter()
            .map(|(trace, count)| stack(trace, *count))
            .collect(),
        elsewhere: code.elsewhere,
        unknown: code
            .unknown
            .iter()
            .map(|(why, connections)| Unknown {
                reason: reason(*why),
                connections: *connections,
            })
            .collect(),
    }
}

pub(super) fn stack(trace: &Trace, connections: u32) -> Stack {
    Stack {
        connections,
        frames: trace.frames.iter().map(|known| frame(known)).collect(),
        cut: trace.cut.map(|cut| match cut {
            stack::Cut::NoFramePointer => Cut::NoFramePointer,
            stack::Cut::Deep => Cut::Deep,
            stack::Cut::Strange => Cut::Strange,
        }),
    }
}

fn frame(frame: &stack::Frame) -> Frame {
    Frame {
        function: frame.function.clone(),
        file: frame.file.clone(),
        line: frame.line.map(std::num::NonZero::get),
        module: frame.module.clone(),
        offset: frame.offset,
        build_id: frame.build_id.clone(),
        inlined: frame.inlined,
        library: frame.origin == Origin::Library,
    }
}

pub(super) const fn reason(missing: Missing) -> Reason {
    match missing {
        Missing::NotAsked => Reason::NotAsked,
        Missing::NoUserStack => Reason::NoUserStack,
        Missing::TableFull => Reason::TableFull,
        Missing::RingFull => Reason::RingFull,
        Missing::Older => Reason::Older,
        Missing::Lost => Reason::Lost,
        Missing::NotLookedUp => Reason::NotLookedUp,
    }
}
