//! What a scenario is run with.

use std::{fmt, fs, path::PathBuf};

/// A backend, by the name used in flags and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Fentry,
    Kprobe,
    Tracepoint,
}

impl Backend {
    pub const ALL: [Self; 3] = [Self::Fentry, Self::Kprobe, Self::Tracepoint];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One run of one scenario.
#[derive(Clone, Debug)]
pub struct Context {
    /// The backend to ask for.
    pub backend: Backend,
    /// The tracer.
    pub program: PathBuf,
}

impl Context {
    /// Whether the processor is emulated, and everything takes ten times as long.
    pub fn is_emulated() -> bool {
        fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("TCG"))
    }
}
