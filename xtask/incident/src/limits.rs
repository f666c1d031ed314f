//! The resource limit that turned a leak into an outage.

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lowers the soft and the hard limit of open files of this process to `count`.
///
/// Both, because a runtime may raise its soft limit to the hard one, as Go's does: the server must run out at a known
/// number.
pub(crate) fn lower_open_files(count: u64) -> anyhow::Result<()> {
    let now = getrlimit(Resource::Nofile).maximum;
    anyhow::ensure!(
        now.is_none_or(|maximum| count <= maximum),
        "the limit of open files can only be lowered: {count} is more than {}",
        now.unwrap_or(u64::MAX)
    );
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(count),
            maximum: Some(count),
        },
    )
    .with_context(|| format!("cannot lower the limit of open files to {count}"))
}
