//! What this process may do, asked before anything is tried, so that the answer can name what is missing.

use std::fs;

use rustix::thread::{CapabilitySet, capabilities};

/// One capability that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its name as the manual spells it.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Whether this process has it.
    pub held: bool,
}

/// The capabilities that tracing may need, one by one. `CAP_SYS_ADMIN` includes the first three.
pub fn held_capabilities() -> Vec<Capability> {
    let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    [
        ("CAP_BPF", CapabilitySet::BPF, "load BPF programs and create maps"),
        (
            "CAP_PERFMON",
            CapabilitySet::PERFMON,
            "attach to kernel functions and tracepoints",
        ),
        (
            "CAP_NET_ADMIN",
            CapabilitySet::NET_ADMIN,
            "attach to the cgroup (tracepoint backend)",
        ),
        (
            "CAP_SYS_ADMIN",
            CapabilitySet::SYS_ADMIN,
            "mount tracefs where it is not mounted; includes the others",
        ),
        (
            "CAP_SYS_RESOURCE",
            CapabilitySet::SYS_RESOURCE,
            "not needed since Linux 5.11",
        ),
    ]
    .map(|(name, flag, purpose)| Capability {
        name,
        purpose,
        held: effective.contains(flag),
    })
    .to_vec()
}

/// The names of the capabilities without which nothing can be traced and that this process lacks.
pub fn missing(capabilities: &[Capability]) -> Vec<&'static str> {
    let held = |name: &str| {
        capabilities
            .iter()
            .any(|capability| capability.name == name && capability.held)
    };
    if held("CAP_SYS_ADMIN") {
        return Vec::new();
    }
    ["CAP_BPF", "CAP_PERFMON"]
        .into_iter()
        .filter(|name| !held(name))
        .collect()
}

/// The kernel's lockdown mode, if it says (`/sys/kernel/security/lockdown`).
pub fn lockdown() -> Option<String> {
    let modes = fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    lockdown_in(&modes)
}

/// The mode in brackets: `none [integrity] confidentiality`.
fn lockdown_in(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    rest.split_once(']').map(|(mode, _)| mode.to_owned())
}

/// Whether capabilities here are those of the host. In any other user namespace they end at its border, and
/// `bpf()` says EPERM however many there seem to be.
pub fn in_initial_user_namespace() -> bool {
    // Where the file does not exist the kernel has no user namespaces.
    fs::read_to_string("/proc/self/uid_map").map_or(true, |map| maps_everything(&map))
}

/// Whether a user id map (`user_namespaces(7)`) is the initial one: all ids onto themselves.
fn maps_everything(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Inode number of the initial PID namespace (`PROC_PID_INIT_INO`, `include/linux/proc_ns.h`).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Whether process ids here are those of the host. The kernel programs report the host's.
pub fn in_initial_pid_namespace() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == INITIAL_PID_NAMESPACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(held: &[&str]) -> Vec<Capability> {
        ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"]
            .map(|name| Capability {
                name,
                purpose: "",
                held: held.contains(&name),
            })
            .to_vec()
    }

    #[test]
    fn the_missing_capability_is_named() {
        assert_eq!(missing(&with(&[])), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(missing(&with(&["CAP_BPF"])), ["CAP_PERFMON"]);
        assert_eq!(missing(&with(&["CAP_BPF", "CAP_PERFMON"])), [""; 0]);
        assert_eq!(missing(&with(&["CAP_SYS_ADMIN"])), [""; 0]);
    }

    #[test]
    fn only_the_initial_user_namespace_maps_every_id() {
        assert!(maps_everything("         0          0 4294967295\n"));
        assert!(!maps_everything("         0       1000          1\n"));
        assert!(!maps_everything(""));
    }

    #[test]
    fn the_lockdown_mode_is_the_one_in_brackets() {
        assert_eq!(
            lockdown_in("none [integrity] confidentiality\n").as_deref(),
            Some("integrity")
        );
        assert_eq!(lockdown_in(""), None);
    }
}
