//! Names of maps, programs and globals in the kernel object. At most 15 characters where the kernel shows
//! them, so that `bpftool` prints them whole (`BPF_OBJ_NAME_LEN` is 16).

/// Maps.
pub mod map {
    /// Ring buffer of [`event`](crate::event) records.
    pub const EVENTS: &str = "EVENTS";
    /// Hash from the address of `struct sock` to a packed [`SockRecord`](crate::socket::SockRecord).
    pub const SOCKS: &str = "SOCKS";
    /// What is looked at before [`SOCKS`]: an array of cells, each for one socket.
    pub const FRONT: &str = "FRONT";
    /// Per-CPU array of one [`Counters`](crate::counter::Counters).
    pub const COUNTERS: &str = "COUNTERS";
    /// Bitmap of watched service ports, 1024 words of 64.
    pub const PORTS: &str = "PORTS";
    /// Watched process ids.
    pub const PIDS: &str = "PIDS";
    /// Watched process names, NUL-padded.
    pub const COMMS: &str = "COMMS";
    /// Watched peer prefixes, IPv4-mapped.
    pub const PEERS: &str = "PEERS";
    /// Ids of the stacks that were told.
    pub const STACKS: &str = "STACKS";
    /// Where the return address lies that the innermost function has not put into the chain of frame pointers: by the
    /// offset of its instruction in the page, the index of a word on top of the stack.
    pub const SLOTS: &str = "SLOTS";
    /// Ring buffer of kernel-side diagnostics, declared by `aya-log-ebpf`.
    pub const LOGS: &str = "AYA_LOGS";
}

/// Programs.
pub mod program {
    /// `fentry/tcp_connect`.
    pub const FENTRY_CONNECT: &str = "fe_tcp_connect";
    /// `fexit/inet_csk_accept` where the function takes two arguments (Linux 6.10 and newer).
    pub const FEXIT_ACCEPT_2: &str = "fx_accept_2";
    /// `fexit/inet_csk_accept` where the function takes four arguments (before Linux 6.10).
    pub const FEXIT_ACCEPT_4: &str = "fx_accept_4";
    /// `fentry/tcp_close`.
    pub const FENTRY_CLOSE: &str = "fe_tcp_close";
    /// `fentry/security_sock_graft`.
    pub const FENTRY_GRAFT: &str = "fe_sock_graft";
    /// `kprobe/tcp_connect`.
    pub const KPROBE_CONNECT: &str = "kp_tcp_connect";
    /// `kretprobe/inet_csk_accept`.
    pub const KRETPROBE_ACCEPT: &str = "kr_csk_accept";
    /// `kprobe/security_sock_graft`.
    pub const KPROBE_GRAFT: &str = "kp_sock_graft";
    /// `kprobe/tcp_close`.
    pub const KPROBE_CLOSE: &str = "kp_tcp_close";
    /// `tp_btf/inet_sock_set_state`: changes of tracked sockets.
    pub const STATE: &str = "tb_state";
    /// `tp_btf/inet_sock_set_state`: active opens.
    pub const STATE_OPEN: &str = "tb_open";
    /// `tp_btf/tcp_destroy_sock`.
    pub const DESTROY: &str = "tb_destroy";
    /// `tracepoint/syscalls/sys_exit_accept`.
    pub const EXIT_ACCEPT: &str = "tp_accept";
    /// `tracepoint/syscalls/sys_exit_accept4`.
    pub const EXIT_ACCEPT4: &str = "tp_accept4";
    /// `iter/task_file`: every descriptor of every process.
    pub const HELD_ROWS: &str = "it_task_file";
    /// `cgroup/sock_release`.
    pub const SOCK_RELEASE: &str = "cg_release";
}

/// Read-only globals other than the field offsets of [`layout`](crate::layout).
pub mod global {
    /// `u8`: 1 when [`PORTS`](super::map::PORTS) decides, 0 when every port is watched.
    pub const FILTER_PORTS: &str = "FILTER_PORTS";
    /// `u8`: 1 when [`PIDS`](super::map::PIDS) decides.
    pub const FILTER_PIDS: &str = "FILTER_PIDS";
    /// `u8`: 1 when [`COMMS`](super::map::COMMS) decides.
    pub const FILTER_COMMS: &str = "FILTER_COMMS";
    /// `u8`: 1 when [`PEERS`](super::map::PEERS) decides.
    pub const FILTER_PEERS: &str = "FILTER_PEERS";
    /// `u8`: the one [`direction`](crate::socket::direction) watched, 0 for both.
    pub const FILTER_DIRECTION: &str = "FILTER_DIR";
    /// `u32`: the tracer's own process id; its connections (the self-test) pass every filter.
    pub const SELF_TGID: &str = "SELF_TGID";
    /// `u64`: bytes in [`EVENTS`](super::map::EVENTS) from which a record wakes the reader.
    pub const WAKEUP_BYTES: &str = "WAKEUP_BYTES";
    /// `u8`: the binary logarithm of the number of cells in [`FRONT`](super::map::FRONT); 0 if there is no front.
    pub const FRONT_BITS: &str = "FRONT_BITS";
    /// `u8`: whose stacks are told, one of [`wanted`](crate::stack::wanted).
    pub const STACKS: &str = "WANT_STACKS";
    /// `u64`: the key of the hash that makes the ids of stacks.
    pub const STACK_KEY: &str = "STACK_KEY";
    /// `u8`: highest level of kernel-side diagnostics, declared by `aya-log-ebpf`; 0 is off.
    pub const LOG_LEVEL: &str = "AYA_LOG_LEVEL";
}
