//! Which code opened a connection.

use std::{num::NonZeroU32, sync::Arc};

use tracer_common::stack::{FIRST_ID, missing};

/// Identity of a stack: the same process at the same place has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u64);

/// The stack that opened a connection, or why nobody knows it; in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opener(u64);

/// Why nobody knows which code opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Missing {
    /// Nobody asked for the stacks of this direction.
    NotAsked,
    /// There was no user stack: a kernel thread, or a worker of `io_uring`.
    NoUserStack,
    /// The table of stacks was full.
    TableFull,
    /// The ring buffer was full.
    RingFull,
    /// It opened before anybody watched.
    Older,
    /// Its record was lost, or it was forgotten because too many were known.
    Lost,
    /// It was not looked up yet, or the process was gone before that.
    NotLookedUp,
}

impl Missing {
    const ALL: [Self; 7] = [
        Self::NotAsked,
        Self::NoUserStack,
        Self::TableFull,
        Self::RingFull,
        Self::Older,
        Self::Lost,
        Self::NotLookedUp,
    ];

    const fn number(self) -> u64 {
        match self {
            Self::NotAsked => missing::NOT_ASKED,
            Self::NoUserStack => missing::NO_USER_STACK,
            Self::TableFull => missing::TABLE_FULL,
            Self::RingFull => missing::RING_FULL,
            // The kernel side does not say these.
            Self::Older => FIRST_ID - 1,
            Self::Lost => FIRST_ID - 2,
            Self::NotLookedUp => FIRST_ID - 3,
        }
    }

    /// The word used in recordings and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::NoUserStack => "no_user_stack",
            Self::TableFull => "table_full",
            Self::RingFull => "ring_full",
            Self::Older => "older",
            Self::Lost => "lost",
            Self::NotLookedUp => "not_looked_up",
        }
    }

    /// From that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|missing| missing.name() == name)
    }
}

impl Opener {
    /// Of a connection that nobody saw opening.
    pub const OLDER: Self = Self::missing(Missing::Older);
    /// Of one whose stack nobody asked for.
    pub const NOT_ASKED: Self = Self::missing(Missing::NotAsked);

    /// A reason.
    pub const fn missing(missing: Missing) -> Self {
        Self(missing.number())
    }

    /// From the number in a record: one that the kernel side does not say counts as lost.
    pub fn from_number(number: u64) -> Self {
        match number {
            FIRST_ID.. => Self(number),
            _ if Missing::ALL.iter().any(|missing| missing.number() == number) => Self(number),
            _ => Self::missing(Missing::Lost),
        }
    }

    /// The stack, or why there is none.
    ///
    /// # Errors
    /// Why there is none.
    pub fn stack(self) -> Result<StackId, Missing> {
        if self.0 >= FIRST_ID {
            return Ok(StackId(self.0));
        }
        let reason = Missing::ALL
            .into_iter()
            .find(|missing| missing.number() == self.0);
        Err(reason.unwrap_or(Missing::Lost))
    }
}

impl From<StackId> for Opener {
    fn from(id: StackId) -> Self {
        Self::from_number(id.0)
    }
}

/// A stack for people, the innermost frame first. Its strings are hostile until an output escapes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trace {
    /// What is known, from the system call outwards.
    pub frames: Vec<Arc<Frame>>,
    /// Why it ends before the beginning of its thread; `None` if it does not, as far as anybody can tell.
    pub cut: Option<Cut>,
}

/// Why a stack ends early, or begins late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// A function without a frame pointer: who called it cannot be told.
    NoFramePointer,
    /// It is deeper than what is kept of a stack.
    Deep,
    /// An address in it is no code of the process any more.
    Strange,
}

impl Cut {
    const ALL: [Self; 3] = [Self::NoFramePointer, Self::Deep, Self::Strange];

    /// The word used in recordings and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFramePointer => "no_frame_pointer",
            Self::Deep => "deep",
            Self::Strange => "strange",
        }
    }

    /// From that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cut| cut.name() == name)
    }
}

/// One frame: a function, or where it is if its name is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// Name of the function, demangled.
    pub function: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Line in it: that of the call.
    pub line: Option<NonZeroU32>,
    /// The file that the code is in.
    pub module: Option<String>,
    /// Offset of the call in that file, where the function has no name.
    pub offset: Option<u64>,
    /// Build id of that file, where the function has no name.
    pub build_id: Option<String>,
    /// Whether the compiler has put the function into its caller.
    pub inlined: bool,
    /// Whose code it is.
    pub origin: Origin,
}

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The program's own, as far as anybody can tell.
    #[default]
    Application,
    /// A library's, or the runtime's of a language.
    Library,
}

impl Frame {
    /// Whether it stands for a call, or several, of which nothing is known.
    pub const fn is_gap(&self) -> bool {
        self.function.is_none() && self.module.is_none()
    }
}

impl Trace {
    /// The innermost frame of the program's own: where to look first.
    pub fn culprit(&self) -> Option<&Arc<Frame>> {
        self.frames
            .iter()
            .find(|frame| frame.origin == Origin::Application)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opener_is_a_stack_or_a_reason() {
        for reason in Missing::ALL {
            assert_eq!(Opener::missing(reason).stack(), Err(reason));
            assert_eq!(Missing::from_name(reason.name()), Some(reason));
        }
        for number in [FIRST_ID, 1 << 40, u64::MAX] {
            assert_eq!(Opener::from_number(number).stack(), Ok(StackId(number)));
        }
    }

    #[test]
    fn an_unknown_reason_is_no_stack() {
        assert_eq!(Opener::from_number(7).stack(), Err(Missing::Lost));
    }

    #[test]
    fn the_culprit_is_the_programs_own() {
        let frame = |name: &str, origin| {
            Arc::new(Frame {
                function: Some(name.to_owned()),
                origin,
                ..Frame::default()
            })
        };
        let mut trace = Trace {
            frames: vec![
                frame("connect", Origin::Library),
                frame("sync", Origin::Application),
                frame("main", Origin::Application),
            ],
            cut: None,
        };
        assert_eq!(
            trace.culprit().and_then(|frame| frame.function.as_deref()),
            Some("sync")
        );
        trace.frames.truncate(1);
        assert_eq!(trace.culprit(), None);
    }
}
