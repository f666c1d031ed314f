//! What stacks look like.

use std::{num::NonZeroU32, sync::Arc};

use serde::{Deserialize, Deserializer, de::Error as _};
use tracer_common::stack::FIRST_ID;

use super::Opened;
use crate::{
    model::{
        connection::ConnectionId,
        stack::{Cut, Frame, Missing, Opener, Origin, StackId, Trace},
        time::Time,
    },
    recording::scalar,
};

/// Frames of one stack that are used: more than anybody writes, inlined ones included.
const FRAMES: usize = 512;
/// Bytes of a string that are used.
const TEXT: usize = 1024;

/// What a stack looks like that `opened` lines name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Stack {
    /// When that became known.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// Which.
    #[serde(deserialize_with = "id")]
    pub id: StackId,
    /// From the system call outwards.
    #[serde(rename = "frames", deserialize_with = "frames")]
    pub frames: Vec<Arc<Frame>>,
    /// Why it ends early.
    #[serde(default)]
    pub cut: Option<String>,
}

impl Stack {
    /// What it looks like.
    pub fn into_trace(self) -> Trace {
        Trace {
            frames: self.frames,
            cut: self.cut.and_then(|cut| Cut::from_name(&cut)),
        }
    }
}

#[derive(Deserialize)]
struct FrameLine {
    function: String,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<u32>,
    #[serde(default)]
    module: Option<String>,
    #[serde(default, deserialize_with = "scalar::number")]
    offset: Option<u64>,
    #[serde(default)]
    build_id: Option<String>,
    #[serde(default)]
    inlined: bool,
    #[serde(default)]
    library: bool,
}

impl From<FrameLine> for Frame {
    fn from(line: FrameLine) -> Self {
        let text = |text: Option<String>| text.map(cut);
        Self {
            function: Some(cut(line.function)).filter(|name| !name.is_empty()),
            file: text(line.file),
            line: line.line.and_then(NonZeroU32::new),
            module: text(line.module),
            offset: line.offset,
            build_id: text(line.build_id),
            inlined: line.inlined,
            origin: if line.library {
                Origin::Library
            } else {
                Origin::Application
            },
        }
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

fn frames<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<Frame>>, D::Error> {
    let lines = Vec::<FrameLine>::deserialize(deserializer)?;
    if lines.len() > FRAMES {
        return Err(D::Error::custom(format!("a stack of more than {FRAMES} frames")));
    }
    Ok(lines.into_iter().map(|line| Arc::new(line.into())).collect())
}

/// Any string, like the id of a connection.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StackId, D::Error> {
    scalar::id(deserializer).map(of)
}

/// The id of a stack, if there is one.
pub(super) fn maybe_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StackId>, D::Error> {
    Ok(scalar::maybe_id(deserializer)?.map(of))
}

fn of(ConnectionId(number): ConnectionId) -> StackId {
    // Here the smallest numbers are reasons; others may use them.
    StackId(if number < FIRST_ID {
        number + (1 << 63)
    } else {
        number
    })
}

/// Why there is none. What others say by that name is not known here.
pub(super) fn maybe_missing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Missing>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(Missing::from_name))
}

impl Opened {
    /// By which code it was opened.
    pub fn opener(&self) -> Opener {
        match (self.stack, self.no_stack, self.preexisting) {
            (Some(id), ..) => id.into(),
            (None, Some(missing), _) => Opener::missing(missing),
            (None, None, Some(true)) => Opener::OLDER,
            (None, None, _) => Opener::NOT_ASKED,
        }
    }
}
