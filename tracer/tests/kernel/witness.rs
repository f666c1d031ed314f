//! What the kernel itself lists, independent of the tracer.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Context as _, ensure};
use aya::{
    maps::loaded_maps,
    programs::{loaded_links, loaded_programs},
};

/// Connections at a service port that processes hold, by what `ss` or /proc list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Accepted at that port.
    pub inbound: u64,
    /// Connected to that port.
    pub outbound: u64,
}

/// Has the kernel destroy the established connections of a service port (`SOCK_DESTROY`, `ss -K`); the listener stays.
/// Says whether it could: `ss` is silent about a kernel that cannot.
pub fn destroy(port: u16) -> anyhow::Result<bool> {
    let before = held(port)?;
    let port_of = |side: &str| format!("{side} = :{port}");
    let output = Command::new("ss")
        .args(["-K", "-tn", "state", "established"])
        .args(["(", &port_of("sport"), "or", &port_of("dport"), ")"])
        .output();
    // No program of that name: nothing was destroyed.
    ensure!(output.is_err() || before != Held::default(), "nothing to destroy");
    Ok(held(port)? == Held::default())
}

/// A counter of the network namespace of a process (`TcpExt` of `/proc/PID/net/netstat`).
pub fn netstat(pid: u32, name: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/netstat"))?;
    let mut rows = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (
        rows.next().context("no names")?,
        rows.next().context("no values")?,
    );
    let found = names
        .split(' ')
        .zip(values.split(' '))
        .find(|(found, _)| *found == name);
    let (_, value) = found.with_context(|| format!("no counter {name}"))?;
    Ok(value.parse()?)
}

/// The id of a process in its own PID namespace.
pub fn namespaced_pid(pid: u32) -> anyhow::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let innermost = line.and_then(|line| line.split_ascii_whitespace().next_back());
    Ok(innermost.context("no NSpid")?.parse()?)
}

/// Descriptors of a process that are in use.
pub fn descriptors(pid: u32) -> anyhow::Result<u64> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64)
}

/// How many ephemeral ports there are.
pub fn ephemeral_ports() -> anyhow::Result<u64> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_ascii_whitespace().map(str::parse::<u64>);
    let (first, last) = (
        ends.next().context("no first port")??,
        ends.next().context("no last port")??,
    );
    Ok(last - first + 1)
}

/// Memory of a process that is in use, in bytes.
pub fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.context("no VmRSS")?.trim().trim_end_matches(" kB");
    Ok(size.parse::<u64>()? * 1024)
}

/// States in which a process holds a connection. (A connection that was shut down or reset and is still held is in
/// none of them; the scenarios that have such do not ask.)
const HELD: [&str; 4] = ["ESTAB", "CLOSE-WAIT", "01", "08"];

/// Counts the connections of a service port.
pub fn held(port: u16) -> anyhow::Result<Held> {
    let sockets = match ss() {
        Ok(sockets) => sockets,
        Err(_) => proc_net()?,
    };
    let mut held = Held::default();
    for socket in sockets.iter().filter(|socket| HELD.contains(&&*socket.state)) {
        held.inbound += u64::from(socket.local_port == port);
        held.outbound += u64::from(socket.remote_port == port);
    }
    Ok(held)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    state: String,
    local: String,
    local_port: u16,
    remote: String,
    remote_port: u16,
}

fn ss() -> anyhow::Result<BTreeSet<Socket>> {
    let output = Command::new("ss").arg("-tanH").output()?;
    ensure!(output.status.success(), "ss failed");
    String::from_utf8(output.stdout)?
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            socket(fields.first(), fields.get(3), fields.get(4), 10)
        })
        .collect()
}

/// One read is not atomic: a socket may be listed twice, which the set makes good.
fn proc_net() -> anyhow::Result<BTreeSet<Socket>> {
    let mut sockets = BTreeSet::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(file)?.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            sockets.insert(socket(fields.get(3), fields.get(1), fields.get(2), 16)?);
        }
    }
    Ok(sockets)
}

fn socket(
    state: Option<&&str>,
    local: Option<&&str>,
    remote: Option<&&str>,
    radix: u32,
) -> anyhow::Result<Socket> {
    let port = |address: &str| -> anyhow::Result<u16> {
        let (_, port) = address.rsplit_once(':').context("an address without port")?;
        // A listener's peer is `*`.
        Ok(u16::from_str_radix(port, radix).unwrap_or(0))
    };
    let (state, local, remote) = (
        state.context("no state")?,
        local.context("no local address")?,
        remote.context("no remote address")?,
    );
    Ok(Socket {
        state: (*state).to_owned(),
        local: (*local).to_owned(),
        local_port: port(local)?,
        remote: (*remote).to_owned(),
        remote_port: port(remote)?,
    })
}

/// BPF objects by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpfObjects {
    pub programs: BTreeSet<u32>,
    pub links: BTreeSet<u32>,
    pub maps: BTreeSet<u32>,
}

impl BpfObjects {
    /// Those that a process holds, by its descriptors.
    pub fn of_process(pid: u32) -> anyhow::Result<Self> {
        let mut objects = Self::default();
        for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
            // A descriptor may be closed between the two steps.
            let Ok(info) = fs::read_to_string(entry?.path()) else {
                continue;
            };
            let id = |name: &str| {
                let line = info.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim().parse().ok()
            };
            if let Some(link) = id("link_id:") {
                // Its other lines name the program.
                objects.links.insert(link);
            }
            objects.programs.extend::<Option<u32>>(id("prog_id:"));
            objects.maps.extend::<Option<u32>>(id("map_id:"));
        }
        Ok(objects)
    }

    /// Those of them that the kernel still has.
    pub fn that_exist(&self) -> anyhow::Result<Self> {
        let programs: BTreeSet<u32> = loaded_programs()
            .map(|program| Ok(program?.id()))
            .collect::<anyhow::Result<_>>()?;
        let links: BTreeSet<u32> = loaded_links()
            .map(|link| Ok(link?.id()))
            .collect::<anyhow::Result<_>>()?;
        let maps: BTreeSet<u32> = loaded_maps()
            .map(|map| Ok(map?.id()))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            programs: &self.programs & &programs,
            links: &self.links & &links,
            maps: &self.maps & &maps,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.links.is_empty() && self.maps.is_empty()
    }
}
