//! Against the running kernel: what this process knows of its own sockets. None of it needs privileges, unless said.

use std::{
    fs, io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    net::{
        AddressFamily, SocketType, bind, connect, listen, socket,
        sockopt::{set_socket_linger, set_socket_reuseaddr},
    },
    thread::{UnshareFlags, unshare_unsafe},
    time::{ClockId, clock_gettime},
};

use super::{Outcome, Reader, now};
use crate::{
    fallback::{identity::KnownConnection, identity::Tuple, namespaces::Namespaces},
    model::{
        connection::{ConnectionId, Phase, ProcessId},
        snapshot::{Held, Listener},
    },
    procfs::process::Directory,
};

fn read(reader: &mut Reader) -> Outcome {
    reader.read(now(), []).unwrap()
}

fn own_process() -> ProcessId {
    let pid = std::process::id();
    Directory::open(pid).unwrap().stat().unwrap().process(pid)
}

/// Rows of this process: what another test starts holds everything for a moment, between `fork` and `execve`.
fn rows_at(outcome: &Outcome, local: SocketAddr) -> Vec<Held> {
    let held = outcome.snapshot.held.iter();
    held.filter(|row| row.local == local && row.process == own_process())
        .copied()
        .collect()
}

fn listeners_at(outcome: &Outcome, local: SocketAddr) -> Vec<Listener> {
    let listeners = outcome.snapshot.listeners.iter();
    listeners
        .filter(|row| row.local == local && row.process == own_process())
        .copied()
        .collect()
}

/// A client and what the server accepted for it.
fn connected(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = listener.accept().unwrap().0;
    (client, server)
}

/// Closes one end with a reset, and waits until the other has it: on a busy machine that takes a moment.
fn reset(one: TcpStream, other: &TcpStream) {
    set_socket_linger(&one, Some(Duration::ZERO)).unwrap();
    drop(one);
    let within = Timespec::try_from(Duration::from_secs(10)).unwrap();
    // Errors are told whatever is asked for.
    let ready = poll(&mut [PollFd::new(other, PollFlags::empty())], Some(&within)).unwrap();
    assert_eq!(ready, 1, "the reset arrives");
}

#[test]
fn our_own_sockets_are_what_we_know_they_are() {
    for wildcard in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(wildcard) else {
            continue;
        };
        let at = listener.local_addr().unwrap();
        let (client, server) = connected(&listener);
        let (shut, left) = connected(&listener);
        shut.shutdown(Shutdown::Write).unwrap();
        let unaccepted = TcpStream::connect(at).unwrap();

        let began = now();
        let outcome = Reader::new().read(began, []).unwrap();

        let row = |stream: &TcpStream, phase| {
            let rows: Vec<Held> = rows_at(&outcome, stream.local_addr().unwrap())
                .into_iter()
                .filter(|row| row.peer == stream.peer_addr().unwrap())
                .collect();
            assert_eq!(rows.len(), 1, "{stream:?}: {rows:?}");
            let row = rows[0];
            assert_eq!(i64::from(row.fd), i64::from(stream.as_raw_fd()));
            assert_eq!((row.process, row.phase), (own_process(), phase), "{stream:?}");
            assert!(row.at >= began && row.at <= now());
            assert!(row.age_at_least < Duration::from_mins(1), "{row:?}");
            row
        };
        row(&client, Phase::Open);
        row(&server, Phase::Open);
        row(&shut, Phase::HalfClosedLocal);
        row(&left, Phase::HalfClosedRemote);
        row(&unaccepted, Phase::Open);

        let listeners = listeners_at(&outcome, at);
        assert_eq!(listeners.len(), 1);
        assert_eq!((listeners[0].process, listeners[0].queued), (own_process(), 1));
        let waiting: Vec<SocketAddr> = outcome
            .snapshot
            .waiting
            .iter()
            .filter(|row| row.listener == listeners[0].id)
            .map(|row| row.peer)
            .collect();
        assert_eq!(waiting, [unaccepted.local_addr().unwrap()]);

        let tables = outcome.snapshot.descriptors.iter();
        let own: Vec<_> = tables.filter(|table| table.process == own_process()).collect();
        assert_eq!(own.len(), 1);
        assert!(own[0].sockets >= 6 && own[0].used >= own[0].sockets, "{own:?}");
        assert_eq!(
            own[0].limit,
            rustix::process::getrlimit(rustix::process::Resource::Nofile).current
        );
    }
}

#[test]
fn traffic_and_idleness_are_told() {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut client, mut server) = connected(&listener);
    client.write_all(&[0; 1000]).unwrap();
    server.read_exact(&mut [0; 1000]).unwrap();
    thread::sleep(Duration::from_millis(300));
    server.write_all(&[0; 10]).unwrap();
    client.read_exact(&mut [0; 10]).unwrap();
    let outcome = read(&mut Reader::new());
    let rows = rows_at(&outcome, client.local_addr().unwrap());
    let row = rows[0];
    // The kernel counts the SYN of a client as a byte (`ss -ti` shows it, too).
    assert_eq!((row.sent, row.received), (1001, 10));
    assert!(row.age_at_least >= Duration::from_millis(290), "{row:?}");
    assert!(row.idle < row.age_at_least, "{row:?}");
}

#[test]
fn a_connection_that_the_ledger_knows_keeps_its_number() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, _server) = connected(&listener);
    let netns = Directory::own_thread().unwrap().netns().unwrap();
    let known = KnownConnection {
        id: ConnectionId(42),
        process: own_process(),
        tuple: Tuple {
            netns,
            local: client.local_addr().unwrap(),
            peer: client.peer_addr().unwrap(),
        },
        opened: now(),
    };
    let outcome = Reader::new().read(now(), [known]).unwrap();
    let rows = rows_at(&outcome, client.local_addr().unwrap());
    assert_eq!(rows.iter().map(|row| row.id.0).collect::<Vec<_>>(), [42]);
}

#[test]
fn a_connection_that_was_reset_is_dead_and_held_until_its_descriptor_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, server) = connected(&listener);
    let (local, peer) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let mut reader = Reader::new();
    let open = rows_at(&read(&mut reader), local);
    assert_eq!((open.len(), open[0].phase), (1, Phase::Open));

    reset(server, &client);
    for _ in 0..2 {
        let dead = rows_at(&read(&mut reader), local);
        assert_eq!((dead.len(), dead[0].phase), (1, Phase::DeadHeld));
        assert_eq!((dead[0].id, dead[0].peer), (open[0].id, peer));
    }
    drop(client);
    assert_eq!(rows_at(&read(&mut reader), local), []);
}

#[test]
fn what_died_before_it_was_ever_seen_is_undecided_until_its_descriptor_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let netns = Directory::own_thread().unwrap().netns().unwrap();
    let mut reader = Reader::new();
    read(&mut reader);
    let (client, server) = connected(&listener);
    let known = KnownConnection {
        id: ConnectionId(42),
        process: own_process(),
        tuple: Tuple {
            netns,
            local: client.local_addr().unwrap(),
            peer: client.peer_addr().unwrap(),
        },
        opened: now(),
    };
    reset(server, &client);
    reader.read(now(), [known]).unwrap();
    let outcome = reader.read(now(), [known]).unwrap();
    assert_eq!(outcome.undecided, [ConnectionId(42)]);
    drop(client);
    let mut decided = false;
    // Other tests of this program may hold sockets that were never connected.
    for _ in 0..100 {
        let outcome = reader.read(now(), [known]).unwrap();
        decided = outcome.unreadable > 0 || outcome.undecided.is_empty();
        if decided {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(decided);
}

#[test]
fn what_closed_while_it_was_read_is_not_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (brief, _server) = connected(&listener);
    let (lasting, _other) = connected(&listener);
    let mut reader = Reader::new();
    let gathered = reader.gather(now()).unwrap();
    let ends = [&brief, &lasting].map(|stream| stream.local_addr().unwrap());
    drop(brief);
    let outcome = reader.settle(gathered, []).unwrap();
    assert_eq!(ends.map(|local| rows_at(&outcome, local).len()), [0, 1]);
}

/// A listening socket in a network namespace of its own, held by this process and by a child that is in there. `None`
/// without the privilege.
fn listening_elsewhere() -> Option<(u32, OwnedFd, std::process::Child)> {
    thread::spawn(|| {
        // SAFETY: only the network namespace of this thread is unshared, which invalidates nothing.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.ok()?;
        let netns = Directory::own_thread().unwrap().netns().unwrap();
        // Without CLOEXEC: the child inherits it.
        let listening = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&listening, &SocketAddr::from(([0, 0, 0, 0], 9090))).unwrap();
        listen(&listening, 5).unwrap();
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        Some((netns, listening, child))
    })
    .join()
    .unwrap()
}

#[test]
fn other_network_namespaces_are_seen_by_the_privileged() {
    let Some((netns, _listening, mut child)) = listening_elsewhere() else {
        eprintln!("not run: a network namespace needs CAP_SYS_ADMIN");
        return;
    };
    let outcome = read(&mut Reader::new());
    let holders: Vec<u32> = outcome
        .snapshot
        .listeners
        .iter()
        .filter(|row| row.netns == netns)
        .map(|row| row.process.pid)
        .collect();
    assert!(holders.contains(&child.id()), "{holders:?}");
    assert!(holders.contains(&std::process::id()), "{holders:?}");
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn what_ss_lists_is_listed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pairs: Vec<_> = (0..20).map(|_| connected(&listener)).collect();
    let port = listener.local_addr().unwrap().port();
    let Ok(ss) = Command::new("ss")
        .args(["-Htn", "sport", "=", &format!(":{port}")])
        .output()
    else {
        eprintln!("not run: there is no ss");
        return;
    };
    let mut theirs: Vec<String> = String::from_utf8(ss.stdout)
        .unwrap()
        .lines()
        .map(|line| line.split_whitespace().nth(4).unwrap().to_owned())
        .collect();
    let outcome = read(&mut Reader::new());
    let mut ours: Vec<String> = rows_at(&outcome, listener.local_addr().unwrap())
        .iter()
        .map(|row| row.peer.to_string())
        .collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours.len(), pairs.len());
    assert_eq!(ours, theirs);
}

/// Processes that let us list their descriptors and not look at them: those with a capability that this process lacks.
fn refusing() -> u64 {
    let refuses = |process: &fs::DirEntry| {
        let Ok(mut links) = fs::read_dir(process.path().join("fd")) else {
            return false;
        };
        let refused = links.any(|link| {
            let target = fs::read_link(link.unwrap().path());
            target.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        });
        // The links of a process that is gone refuse, too.
        refused && process.path().join("stat").exists()
    };
    let processes = fs::read_dir("/proc").unwrap().map(Result::unwrap);
    processes.filter(refuses).count() as u64
}

#[test]
fn processes_and_namespaces_out_of_reach_are_counted() {
    if rustix::process::geteuid().is_root() {
        let outcome = read(&mut Reader::new());
        assert_eq!((outcome.unreadable, outcome.namespaces_missed), (refusing(), 0));
    } else {
        assert!(
            read(&mut Reader::new()).unreadable > 0,
            "process 1 belongs to root"
        );
    }
    assert_eq!(Namespaces::of(&[]).unwrap().diags.len(), 1);
}

/// How long a pass takes: `cargo test --release -p tracer --lib -- --ignored --nocapture twenty_thousand`.
#[test]
#[ignore = "a measurement; needs 20,000 descriptors"]
fn twenty_thousand_sockets() {
    const PAIRS: usize = 9_950;
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        set_socket_reuseaddr(&client, true).unwrap();
        connect(client.as_fd(), &listener.local_addr().unwrap()).unwrap();
        pairs.push((client, listener.accept().unwrap().0));
    }
    let cpu = || {
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(
            spent.tv_sec.try_into().unwrap(),
            spent.tv_nsec.try_into().unwrap(),
        )
    };
    let mut reader = Reader::new();
    let mut known: Vec<KnownConnection> = Vec::new();
    for _ in 0..4 {
        let (began, began_cpu) = (Instant::now(), cpu());
        let gathered = reader.gather(now()).unwrap();
        let (read, read_cpu) = (began.elapsed(), cpu().saturating_sub(began_cpu));
        let outcome = reader.settle(gathered, known.iter().copied()).unwrap();
        let (all, all_cpu) = (began.elapsed(), cpu().saturating_sub(began_cpu));
        assert_eq!(rows_at(&outcome, listener.local_addr().unwrap()).len(), PAIRS);
        println!(
            "{} rows, {} known: gathered in {read:?} ({read_cpu:?} of CPU), settled after {all:?} ({all_cpu:?})",
            outcome.snapshot.held.len(),
            known.len(),
        );
        let row = |row: &Held| KnownConnection {
            id: row.id,
            process: row.process,
            tuple: Tuple {
                netns: row.netns,
                local: row.local,
                peer: row.peer,
            },
            opened: row.at,
        };
        known = outcome.snapshot.held.iter().map(row).collect();
    }
}
