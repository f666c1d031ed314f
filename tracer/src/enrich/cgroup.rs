//! `/proc/PID/cgroup`: the systemd unit and the container that a process belongs to.
//!
//! Both are conventions of names, and whoever may make cgroups may imitate them: good enough to tell a person where to
//! look, not to base a permission on.

/// Where a process belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The systemd unit, a service or a scope.
    pub unit: Option<String>,
    /// The container: an id, or a name where the runtime (LXC) has nothing else.
    pub container: Option<String>,
}

/// Longest name of a unit (`UNIT_NAME_MAX`, `src/basic/unit-name.h` of systemd), and of a directory.
const NAME_MAX: usize = 255;

/// Runtimes whose ids may be shorter than 64 digits.
const RUNTIMES: [&[u8]; 6] = [
    b"docker",
    b"containerd",
    b"cri-containerd",
    b"crio",
    b"libpod",
    b"nerdctl",
];

/// Finds both in the bytes of the file: one line `ID:CONTROLLERS:PATH` for each hierarchy (`cgroups(7)`). A last line
/// that is cut counts for nothing.
pub fn parse(file: &[u8]) -> Membership {
    let end = file.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    let lines = file.get(..end).unwrap_or_default().split(|&byte| byte == b'\n');
    let mut paths: Vec<(Hierarchy, &[u8])> = lines.filter_map(hierarchy).collect();
    // A stable sort: the rest stays as the kernel lists it.
    paths.sort_by_key(|(hierarchy, _)| *hierarchy);
    Membership {
        unit: paths.iter().find_map(|(_, path)| unit(path)),
        container: paths.iter().find_map(|(_, path)| container(path)),
    }
}

/// Kinds of hierarchies, the one that says most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hierarchy {
    /// Version 2. Where both are mounted, systemd keeps its tree in both.
    Unified,
    /// The one of version 1 that systemd made for its own tree.
    Systemd,
    /// That of a controller of version 1.
    Controller,
}

fn hierarchy(line: &[u8]) -> Option<(Hierarchy, &[u8])> {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let hierarchy = match (id, controllers) {
        (b"0", b"") => Hierarchy::Unified,
        (_, b"name=systemd") => Hierarchy::Systemd,
        _ => Hierarchy::Controller,
    };
    Some((hierarchy, path))
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

/// The innermost service or scope: below it a service may have cgroups of its own making, above it there are slices,
/// and for the services of a user the one that runs that user's manager (`user@1000.service`).
fn unit(path: &[u8]) -> Option<String> {
    components(path).rev().find_map(|name| {
        // Names that could pass for one of the kernel's files are escaped so (`cg_escape`,
        // `src/basic/cgroup-util.c` of systemd). `\x2d` and the like belong to the unit's name.
        let name = name.strip_prefix(b"_").unwrap_or(name);
        let stem = name
            .strip_suffix(b".service")
            .or_else(|| name.strip_suffix(b".scope"))?;
        let valid = !stem.is_empty()
            && name.len() <= NAME_MAX
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(byte));
        valid.then(|| String::from_utf8_lossy(name).into_owned())
    })
}

/// The innermost container: one may run inside another.
fn container(path: &[u8]) -> Option<String> {
    let mut parent: &[u8] = b"";
    let mut innermost = None;
    for name in components(path) {
        innermost = container_id(parent, name).or(innermost);
        parent = name;
    }
    innermost.map(|id| String::from_utf8_lossy(id).into_owned())
}

fn container_id<'a>(parent: &[u8], name: &'a [u8]) -> Option<&'a [u8]> {
    if let Some(lxc) = name.strip_prefix(b"lxc.payload.") {
        return named(lxc);
    }
    if parent == b"lxc" {
        return named(name);
    }
    if is_fargate(parent, name) {
        return Some(name);
    }
    let stem = name.strip_suffix(b".scope").unwrap_or(name);
    // `docker-ID`, `kubepods-pod1.slice:cri-containerd:ID`, or the id alone.
    let (runtime, id) = match stem.iter().rposition(|byte| b"-:".contains(byte)) {
        Some(at) => (stem.get(..at)?, stem.get(at + 1..)?),
        None => (parent, stem),
    };
    // The process that looks after a container is not in it.
    let is_monitor = runtime.ends_with(b"conmon");
    let is_id = is_hex(id, 64) || (is_hex(id, 32) && (RUNTIMES.contains(&runtime) || is_pod(runtime)));
    (is_id && !is_monitor).then_some(id)
}

fn named(name: &[u8]) -> Option<&[u8]> {
    (!name.is_empty() && name.len() <= NAME_MAX).then_some(name)
}

/// The directory of a Kubernetes pod: `pod1b2c…`, or `kubepods-burstable-pod1b2c….slice`.
fn is_pod(name: &[u8]) -> bool {
    name.starts_with(b"pod") || name.starts_with(b"kubepods")
}

/// ECS on Fargate: `/ecs/TASK/TASK-1234567890`.
fn is_fargate(parent: &[u8], name: &[u8]) -> bool {
    is_hex(parent, 32)
        && name
            .strip_prefix(parent)
            .and_then(|rest| rest.strip_prefix(b"-"))
            .is_some_and(|number| (1..=20).contains(&number.len()) && number.iter().all(u8::is_ascii_digit))
}

fn is_hex(id: &[u8], digits: usize) -> bool {
    id.len() == digits && id.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
