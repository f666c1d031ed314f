//! Which code opened connections.

use schemars::JsonSchema;
use serde::Serialize;

/// Which code opened what is still open.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Code {
    /// Connections that were looked at: all that are open.
    pub open: u32,
    /// The place in the program itself that opened the most; absent if no stack shows any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub culprit: Option<Culprit>,
    /// The stacks that opened most of them, those first.
    pub stacks: Vec<Stack>,
    /// Connections of other stacks.
    pub elsewhere: u32,
    /// Connections whose stack nobody knows.
    pub unknown: Vec<Unknown>,
}

/// A place in a program.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Culprit {
    /// Connections that were opened there.
    pub connections: u32,
    /// The place.
    pub frame: Frame,
}

/// A stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Stack {
    /// Connections that it opened.
    pub connections: u32,
    /// From the system call outwards.
    pub frames: Vec<Frame>,
    /// Why it ends before the beginning of its thread; absent if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
}

/// Why a stack ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The last function was compiled without a frame pointer: who called it cannot be told.
    NoFramePointer,
    /// It is deeper than what is kept of a stack.
    Deep,
    /// What follows is no code of the process.
    Strange,
}

/// One frame: a function, or where its code lies if it has no name.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Frame {
    /// Name of the function, demangled; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Source file; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the call in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The file that the code is in, as the process sees it; absent for code that was compiled at run time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Offset of the call in that file, where the function has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Build id of that file, where the function has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Whether the compiler has put the function into its caller.
    pub inlined: bool,
    /// Whether it is a library's or a runtime's, and not the program's own.
    pub library: bool,
}

/// Connections whose stack nobody knows, for one reason.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Unknown {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub connections: u32,
}

/// Why nobody knows a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody asked for the stacks of this direction (`--stacks`).
    NotAsked,
    /// There was no user stack: a kernel thread, or a worker of `io_uring`.
    NoUserStack,
    /// The table of stacks was full.
    TableFull,
    /// The ring buffer was full.
    RingFull,
    /// The connection is older than the tracer.
    Older,
    /// The record of the stack was lost.
    Lost,
    /// It has not been looked up: yet, or because few connections had it, or because the process was gone.
    NotLookedUp,
}
