//! What is known of a process beside its connections.

/// What `/proc` tells of a process. All of it is chosen by others: hostile until an output escapes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// The command line, the arguments separated by NUL, cut to [`ProcessInfo::ARGS`] bytes.
    pub args: Vec<u8>,
    /// The systemd unit that it belongs to.
    pub unit: Option<String>,
    /// The id of the container that it runs in.
    pub container: Option<String>,
    /// Its process id in its own PID namespace, where that is not the initial one.
    pub inner_pid: Option<u32>,
}

impl ProcessInfo {
    /// Bytes of a command line that are kept.
    pub const ARGS: usize = 1024;
}
