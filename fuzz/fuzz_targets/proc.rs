//! Any bytes as files of `/proc` and as an answer of `sock_diag`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer::{
    enrich::cgroup,
    fallback::netlink::read_messages,
    procfs::{limits, link, stat::Stat, status},
};

fuzz_target!(|data: &[u8]| {
    let membership = cgroup::parse(data);
    for name in [membership.unit, membership.container].into_iter().flatten() {
        // Bytes that are not UTF-8 may have become three each.
        assert!(!name.is_empty() && name.len() <= 3 * 255);
    }
    let _ = Stat::parse(data);
    let _ = status::inner_pid(data);
    assert!(status::acts_for(data, 0), "root's files are anybody's");
    let _ = limits::open_files(data);
    let _ = link::inode(data, "socket");
    let mut sockets = Vec::new();
    let _ = read_messages(data, &mut sockets);
    assert!(sockets.len() <= data.len() / 16);
});
