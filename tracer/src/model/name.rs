//! Names that other processes chose.

use std::fmt;

use tracer_common::event::COMM_LEN;

/// A process name as the kernel keeps it: up to 15 bytes of anything. Hostile until an output escapes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Comm([u8; COMM_LEN]);

impl Comm {
    /// From the kernel's NUL-padded form.
    pub const fn new(padded: [u8; COMM_LEN]) -> Self {
        Self(padded)
    }

    /// The bytes before the first NUL.
    pub fn bytes(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

impl From<&[u8]> for Comm {
    /// Cut to what the kernel keeps.
    fn from(name: &[u8]) -> Self {
        let mut padded = [0; COMM_LEN];
        for (to, from) in padded.iter_mut().zip(name.iter().take(COMM_LEN - 1)) {
            *to = *from;
        }
        Self(padded)
    }
}

impl From<&str> for Comm {
    fn from(name: &str) -> Self {
        Self::from(name.as_bytes())
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}
