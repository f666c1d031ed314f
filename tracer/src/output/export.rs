//! Stacks for flame graph tools.

#[cfg(feature = "flamegraph")]
use anyhow::bail;

#[cfg(feature = "flamegraph")]
use super::flamegraph;
use super::folded;

/// What is printed at the end, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// Stacks and counts.
    Folded,
    /// A picture of them.
    #[cfg(feature = "flamegraph")]
    Flamegraph,
}

impl Export {
    /// The whole output.
    ///
    /// # Errors
    /// When there is nothing to make a picture of.
    pub fn render(self, stacks: &[(String, u32)]) -> anyhow::Result<String> {
        match self {
            Self::Folded => Ok(folded::lines(stacks)),
            #[cfg(feature = "flamegraph")]
            Self::Flamegraph if stacks.is_empty() => {
                bail!("nothing is open at the end: there is no picture of it")
            }
            #[cfg(feature = "flamegraph")]
            Self::Flamegraph => flamegraph::svg(stacks),
        }
    }
}
