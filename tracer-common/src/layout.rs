//! The kernel fields that the programs read.
//!
//! Rust emits no CO-RE relocations, so no offset is compiled in: user space resolves each field in the running
//! kernel's BTF and sets the global of that name before load (`docs/architecture.md`).

/// One field of a kernel structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelField {
    /// Name of the `u32` global that carries the offset in bytes.
    pub global: &'static str,
    /// Structure that holds the field.
    pub container: &'static str,
    /// Path of members, separated by dots; anonymous members are not named.
    pub member: &'static str,
    /// Size that the programs read, in bytes.
    pub size: u32,
}

/// Calls the macro `$emit` with the whole list: `GLOBAL: "container" . "member", size;`.
///
/// One list serves both sides: the kernel programs declare a global from each line, user space resolves each
/// line ([`FIELDS`]).
#[macro_export]
macro_rules! kernel_fields {
    ($emit:path) => {
        $emit! {
            OFF_FAMILY: "sock_common" . "skc_family", 2;
            OFF_DPORT: "sock_common" . "skc_dport", 2;
            OFF_NUM: "sock_common" . "skc_num", 2;
            OFF_STATE: "sock_common" . "skc_state", 1;
            OFF_DADDR: "sock_common" . "skc_daddr", 4;
            OFF_RCV_SADDR: "sock_common" . "skc_rcv_saddr", 4;
            OFF_V6_DADDR: "sock_common" . "skc_v6_daddr", 16;
            OFF_V6_RCV_SADDR: "sock_common" . "skc_v6_rcv_saddr", 16;
            OFF_NET: "sock_common" . "skc_net.net", 8;
            OFF_NS_INUM: "net" . "ns.inum", 4;
            OFF_SK_ERR: "sock" . "sk_err", 4;
            OFF_SK_PROTOCOL: "sock" . "sk_protocol", 2;
            OFF_SPORT: "inet_sock" . "inet_sport", 2;
            OFF_LEADER: "task_struct" . "group_leader", 8;
            OFF_MM: "task_struct" . "mm", 8;
            OFF_FILES: "task_struct" . "files", 8;
            OFF_TGID: "task_struct" . "tgid", 4;
            OFF_COMM: "task_struct" . "comm", 16;
            OFF_START: "task_struct" . "start_boottime", 8;
            OFF_FDT: "files_struct" . "fdt", 8;
            OFF_MAX_FDS: "fdtable" . "max_fds", 4;
            OFF_FD: "fdtable" . "fd", 8;
            OFF_PRIVATE: "file" . "private_data", 8;
            OFF_SOCKET_FILE: "socket" . "file", 8;
            OFF_SOCKET_SK: "socket" . "sk", 8;
            OFF_FILE_INODE: "file" . "f_inode", 8;
            OFF_INODE_NUMBER: "inode" . "i_ino", 8;
            OFF_SIGNAL: "task_struct" . "signal", 8;
            OFF_LIMITS: "signal_struct" . "rlim", 256;
            OFF_ITER_SEQ: "bpf_iter_meta" . "seq", 8;
            OFF_ITER_SESSION: "bpf_iter_meta" . "session_id", 8;
            OFF_QUEUE_HEAD: "inet_connection_sock" . "icsk_accept_queue.rskq_accept_head", 8;
            OFF_QUEUE_NEXT: "request_sock" . "dl_next", 8;
            OFF_QUEUE_SOCK: "request_sock" . "sk", 8;
            OFF_BACKLOG: "sock" . "sk_ack_backlog", 4;
            OFF_MAX_BACKLOG: "sock" . "sk_max_ack_backlog", 4;
            OFF_LAST_SENT: "tcp_sock" . "lsndtime", 4;
            OFF_LAST_RECEIVED: "inet_connection_sock" . "icsk_ack.lrcvtime", 4;
            OFF_BYTES_ACKED: "tcp_sock" . "bytes_acked", 8;
            OFF_BYTES_RECEIVED: "tcp_sock" . "bytes_received", 8;
            OFF_MPTCP_FIRST: "mptcp_sock" . "first", 8;
            OFF_REGS_SP: "pt_regs" . "sp", 8;
            OFF_EXIT_RET: "trace_event_raw_sys_exit" . "ret", 8;
        }
    };
}

macro_rules! as_table {
    ($($global:ident : $container:literal . $member:literal, $size:literal;)*) => {
        /// Every field of [`kernel_fields!`](crate::kernel_fields).
        pub const FIELDS: &[KernelField] = &[$(KernelField {
            global: stringify!($global),
            container: $container,
            member: $member,
            size: $size,
        }),*];
    };
}
kernel_fields!(as_table);

/// Globals of fields that a kernel may lack; they are set to [`ABSENT`] then.
pub const OPTIONAL: &[&str] = &[
    // Kernels without Multipath TCP.
    "OFF_MPTCP_FIRST",
];

/// The offset of a field that this kernel lacks.
pub const ABSENT: u32 = u32::MAX;
