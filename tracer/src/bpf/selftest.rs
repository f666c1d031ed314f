//! Checks that what the programs report is true.
//!
//! A wrong field offset loads, runs, and gives wrong data without a word. So before anything is believed, the
//! tracer opens a loopback connection to itself and compares what the programs say with what it knows.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use aya::maps::{MapData, RingBuf};

use super::{
    coverage::{Coverage, Outcome},
    environment::own_netns,
    plan::{Backend, Hook},
    preflight::in_initial_pid_namespace,
};
use crate::{
    ingest::{
        decode::decode,
        stack::{decode_stack, is_stack},
    },
    model::{
        connection::Direction,
        event::{Event, EventKind, Opening, StateChange},
        name::Comm,
        stack::StackId,
    },
};

/// How long the records of a connection may take to arrive. They are submitted before the system calls return; only
/// the end of the sockets, where it is told, comes from softirq.
const PATIENCE: Duration = Duration::from_secs(2);

/// The result.
pub struct SelfTest {
    /// What was found.
    pub verdict: Verdict,
    /// Records of the test itself, taken out of the buffer.
    pub own: u64,
    /// The stacks that opened its connections.
    pub own_stacks: Vec<StackId>,
    /// Records of other processes that arrived meanwhile.
    pub others: Vec<Vec<u8>>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every fact was reported as it is.
    Right,
    /// This was reported wrong, or not at all.
    Wrong(String),
    /// There was no way to test.
    NotRun(String),
}

/// What is known of the test connection.
struct Truth {
    server: SocketAddr,
    client: SocketAddr,
    netns: u32,
    comm: Comm,
}

/// Opens and closes loopback connections, IPv4 and where possible IPv6, and checks what arrives in `ring`.
pub fn run(ring: &mut RingBuf<MapData>, coverage: &Coverage) -> SelfTest {
    let mut test = SelfTest {
        verdict: Verdict::Right,
        own: 0,
        own_stacks: Vec::new(),
        others: Vec::new(),
    };
    if !in_initial_pid_namespace() {
        let why = "process ids here are not those of the host (run it in the host's PID namespace)";
        test.verdict = Verdict::NotRun(why.to_owned());
        return test;
    }
    let mut tested = false;
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        // No loopback of that kind here: nothing to test with.
        let Some(truth) = connect_once(address) else {
            continue;
        };
        tested = true;
        if let Err(what) = check(ring, coverage, &truth, &mut test) {
            test.verdict = Verdict::Wrong(what);
            return test;
        }
    }
    if !tested {
        test.verdict = Verdict::NotRun("no loopback address is up".to_owned());
    }
    test
}

/// One connection, opened and closed at both ends.
fn connect_once(address: IpAddr) -> Option<Truth> {
    let listener = TcpListener::bind((address, 0)).ok()?;
    let server = listener.local_addr().ok()?;
    let outgoing = TcpStream::connect_timeout(&server, PATIENCE).ok()?;
    let client = outgoing.local_addr().ok()?;
    let (incoming, _) = listener.accept().ok()?;
    drop(outgoing);
    drop(incoming);
    let netns = own_netns()?;
    let comm = fs::read("/proc/self/comm").ok()?;
    let comm = Comm::from(comm.strip_suffix(b"\n").unwrap_or(&comm));
    Some(Truth {
        server,
        client,
        netns,
        comm,
    })
}

/// What was heard of one end.
#[derive(Default)]
struct Heard {
    opening: Option<(Event, Opening)>,
    local_port: u16,
    released: bool,
    ended: bool,
}

fn check(
    ring: &mut RingBuf<MapData>,
    coverage: &Coverage,
    truth: &Truth,
    test: &mut SelfTest,
) -> Result<(), String> {
    let hears = |hook: fn(Hook) -> bool| {
        coverage
            .programs
            .iter()
            .any(|outcome| hook(outcome.program.hook) && outcome.result == Outcome::Attached)
    };
    let expects_inbound = coverage.backend != Backend::Tracepoint
        || hears(|hook| hook == Hook::Tracepoint("syscalls", "sys_exit_accept4"));
    let expects_release = coverage.backend != Backend::Tracepoint || hears(|hook| hook == Hook::SockRelease);
    let mut outbound = Heard::default();
    let mut inbound = Heard::default();
    let done = |end: &Heard| end.opening.is_some() && (end.released || (end.ended && !expects_release));
    let deadline = Instant::now() + PATIENCE;
    while !(done(&outbound) && (done(&inbound) || !expects_inbound)) && Instant::now() < deadline {
        while let Some(record) = ring.next() {
            if is_stack(&record) {
                match decode_stack(&record) {
                    Ok(stack) if stack.process.pid == std::process::id() => {
                        test.own += 1;
                        test.own_stacks.push(stack.id);
                    }
                    _ => test.others.push(record.to_vec()),
                }
                continue;
            }
            match decode(&record) {
                Ok(event) if hear(&event, &mut outbound, &mut inbound) => test.own += 1,
                // Others' records, and what cannot be decoded: the ledger's business.
                _ => test.others.push(record.to_vec()),
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
    compare(
        "outbound",
        &outbound,
        truth.client,
        truth.server,
        truth,
        expects_release,
    )?;
    if expects_inbound {
        compare(
            "inbound",
            &inbound,
            truth.server,
            truth.client,
            truth,
            expects_release,
        )?;
    }
    Ok(())
}

/// Takes in an event of this process; says whether it was one.
fn hear(event: &Event, outbound: &mut Heard, inbound: &mut Heard) -> bool {
    if let EventKind::Opened(opening) = event.kind {
        if opening.process.pid != std::process::id() {
            return false;
        }
        let end = match opening.direction {
            Direction::Outbound => outbound,
            Direction::Inbound => inbound,
        };
        end.local_port = opening.local.port();
        end.opening = Some((*event, opening));
        return true;
    }
    let known = [outbound, inbound]
        .into_iter()
        .find(|end| end.opening.is_some_and(|(opened, _)| opened.id == event.id));
    let Some(end) = known else { return false };
    match event.kind {
        EventKind::State(StateChange::Established { local_port }) if local_port != 0 => {
            end.local_port = local_port;
        }
        EventKind::Released { .. } => end.released = true,
        EventKind::Ended(_) => end.ended = true,
        EventKind::State(_) | EventKind::Opened(_) => {}
    }
    true
}

fn compare(
    end: &str,
    heard: &Heard,
    local: SocketAddr,
    peer: SocketAddr,
    truth: &Truth,
    expects_release: bool,
) -> Result<(), String> {
    let Some((_, opening)) = heard.opening else {
        return Err(format!("the {end} end of a test connection was not reported"));
    };
    let reported = SocketAddr::new(opening.local.ip(), heard.local_port);
    let same = |what: &str, is: String, said: String| {
        if is == said {
            Ok(())
        } else {
            Err(format!("{end} {what} is {is}, the kernel programs say {said}"))
        }
    };
    same("local address", local.to_string(), reported.to_string())?;
    same("peer", peer.to_string(), opening.peer.to_string())?;
    same(
        "network namespace",
        truth.netns.to_string(),
        opening.netns.to_string(),
    )?;
    same(
        "process name",
        format!("{:?}", truth.comm),
        format!("{:?}", opening.comm),
    )?;
    if expects_release && !heard.released {
        return Err(format!("the close of the {end} end was not reported"));
    }
    // What is released is told of no more.
    if !expects_release && !heard.ended {
        return Err(format!("the end of the {end} socket was not reported"));
    }
    Ok(())
}
