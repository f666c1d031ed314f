//! `tracer list` of sockets that this program made: what it says is compared with what this program knows and with
//! what `ss` shows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support {
    pub mod run;
}

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    process::{self, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    net::sockopt::set_socket_linger,
    thread::{UnshareFlags, unshare_unsafe},
};
use serde_json::{Value, json};
use support::run::{can_trace, run, tracer};

/// Taken by each test: a child that another one starts holds this program's sockets until it is another program.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `tracer list` says: the rows, and the summary behind them.
struct List {
    rows: Vec<Value>,
    summary: Value,
}

fn list(arguments: &[&str]) -> List {
    let arguments = [&["list", "--output", "json"], arguments].concat();
    let run = run(&mut tracer(&arguments));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    let mut rows: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = rows.pop().unwrap();
    assert_eq!(summary["type"], "list_summary");
    assert_eq!(
        (&summary["untracked"], &summary["unread_unaccepted"]),
        (&json!(0), &json!(0))
    );
    List { rows, summary }
}

/// Own tuple to phase and descriptors.
type Sockets = BTreeMap<(String, String), (String, Vec<i64>)>;

/// The connections of a service port that this process holds, or waits for.
fn listed(port: &str) -> Sockets {
    let pid = process::id().to_string();
    sockets(list(&["--all", "--port", port, "--pid", &pid]).rows)
}

fn sockets(rows: Vec<Value>) -> Sockets {
    rows.into_iter()
        .map(|row| {
            let holders = row["holders"].as_array().unwrap();
            let mine = |holder: &Value| holder["process"]["pid"] == process::id();
            assert!(holders.iter().all(mine), "{row}");
            let fds = holders
                .iter()
                .filter_map(|holder| holder["fd"].as_i64())
                .collect();
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            ((text("local"), text("peer")), (text("phase"), fds))
        })
        .collect()
}

fn netns() -> u64 {
    fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}

/// Each tuple of a service port with its state, by `ss`.
fn ss(port: &str) -> BTreeMap<(String, String), String> {
    let filter = format!("sport = {port} or dport = {port}");
    let output = Command::new("ss").args(["-tnH", &filter]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            ((fields[3].to_owned(), fields[4].to_owned()), fields[0].to_owned())
        })
        .collect()
}

/// This end's view of a connection that it holds in `phase` with one descriptor.
fn end(socket: &TcpStream, phase: &str) -> ((String, String), (String, Vec<i64>)) {
    let address = |address: std::io::Result<SocketAddr>| address.unwrap().to_string();
    let tuple = (address(socket.local_addr()), address(socket.peer_addr()));
    (tuple, (phase.to_owned(), vec![socket.as_raw_fd().into()]))
}

/// A connection to the listener, and who accepted it.
fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn every_phase_is_listed_with_its_holders() {
    let _alone = alone();
    if !can_trace("list") {
        return;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();

    let mut known = Sockets::new();
    let open: Vec<(TcpStream, TcpStream)> = (0..10).map(|_| pair(&listener)).collect();
    for (client, server) in &open {
        known.extend([end(client, "open"), end(server, "open")]);
    }
    let copy = open[0].0.try_clone().unwrap();
    let twice = known.get_mut(&end(&copy, "").0).unwrap();
    twice.1.push(copy.as_raw_fd().into());
    twice.1.sort_unstable();
    // The client has nothing more to say.
    let halves: Vec<(TcpStream, TcpStream)> = (0..3).map(|_| pair(&listener)).collect();
    for (client, server) in &halves {
        client.shutdown(Shutdown::Write).unwrap();
        known.extend([
            end(client, "half_closed_local"),
            end(server, "half_closed_remote"),
        ]);
    }
    // The client resets. A socket in state CLOSE has no peer to ask for.
    let mut dead = Vec::new();
    for _ in 0..4 {
        let (client, server) = pair(&listener);
        known.extend([end(&server, "dead_held")]);
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        dead.push(server);
    }
    let waiting: Vec<TcpStream> = (0..5)
        .map(|_| TcpStream::connect(listener.local_addr().unwrap()).unwrap())
        .collect();
    for client in &waiting {
        let ((local, peer), (phase, fds)) = end(client, "open");
        known.insert(
            (peer.clone(), local.clone()),
            ("unaccepted".to_owned(), Vec::new()),
        );
        known.insert((local, peer), (phase, fds));
    }

    assert_eq!(listed(&port), known);

    // ss shows the same tuples but the dead ones, and cannot tell accepted from unaccepted.
    let in_words = |(phase, _): (String, Vec<i64>)| match phase.as_str() {
        "open" | "unaccepted" => Some("ESTAB"),
        "half_closed_remote" => Some("CLOSE-WAIT"),
        "half_closed_local" => Some("FIN-WAIT-2"),
        _ => None,
    };
    let as_ss: BTreeMap<(String, String), String> = known
        .clone()
        .into_iter()
        .filter_map(|(tuple, socket)| Some((tuple, in_words(socket)?.to_owned())))
        .collect();
    assert_eq!(ss(&port), as_ss);

    // Nor can the dead ones be seen without BPF, which this is.
    let without = list(&["--all", "--port", &port, "--btf", "/nonexistent"]);
    assert_eq!(without.summary["source"], "sock_diag");
    let mut alive = known.clone();
    alive.retain(|_, (phase, _)| phase != "dead_held");
    assert_eq!(sockets(without.rows), alive);

    sums(&port, known.len());

    // The descriptors go, and so do they.
    drop((open, copy, halves, dead, waiting, listener));
    assert_eq!(listed(&port), Sockets::new());
}

/// The same in sums: 10 pairs open, 3 half closed, 4 dead, 5 waiting.
fn sums(port: &str, all: usize) {
    let List { rows, summary } = list(&["--by", "state", "--port", port]);
    let phases = json!({
        "connecting": 0, "unaccepted": 5, "given_up": 0, "open": 25, "half_closed_remote": 3,
        "half_closed_local": 3, "dead_held": 4,
    });
    assert_eq!(
        (&summary["phases"], &summary["connections"]),
        (&phases, &json!(all))
    );
    assert_eq!(rows.len(), 5, "one for each phase that occurs");

    let rows = list(&["--by", "listener", "--port", port]).rows;
    assert_eq!(rows.len(), 1);
    let listener = &rows[0]["listener"];
    assert_eq!(listener["queued"], 5);
    assert_eq!(listener["processes"][0]["pid"], process::id());
    assert_eq!(listener["netns"], netns());
    assert!(listener["oldest_wait_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(rows[0]["connections"], 10 + 3 + 4 + 5);

    let rows = list(&["--by", "process", "--port", port]).rows;
    assert_eq!(rows.len(), 1);
    let descriptors = &rows[0]["descriptors"];
    // Other tests of this program open and close meanwhile.
    let own = 10 * 2 + 1 + 3 * 2 + 4 + 5 + 1;
    assert!(descriptors["used"].as_u64().unwrap() >= own);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    assert_eq!(descriptors["limit"].as_u64(), limit);

    // Nobody else connects to this port: two peers, one for each direction.
    let rows = list(&["--port", port]).rows;
    let counts: Vec<(&Value, &Value)> = rows
        .iter()
        .map(|row| (&row["direction"], &row["connections"]))
        .collect();
    let expected = [(json!("inbound"), json!(22)), (json!("outbound"), json!(18))];
    assert_eq!(
        counts,
        [(&expected[0].0, &expected[0].1), (&expected[1].0, &expected[1].1)]
    );
    let one = list(&["--port", port, "--rows", "1"]);
    assert_eq!((one.rows.len(), &one.summary["rows_hidden"]), (1, &json!(1)));
}

#[test]
fn filters_leave_what_is_meant() {
    let _alone = alone();
    if !can_trace("filters of a list") {
        return;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let _pair = pair(&listener);
    let count = |filter: &[&str]| {
        let arguments = [&["--all", "--port", &port], filter].concat();
        list(&arguments).rows.len()
    };
    assert_eq!(count(&[]), 2);
    assert_eq!(count(&["--direction", "outbound"]), 1);
    assert_eq!(count(&["--direction", "inbound"]), 1);
    assert_eq!(count(&["--peer", "127.0.0.0/8"]), 2);
    assert_eq!(count(&["--peer", "127.0.0.2"]), 0);
    assert_eq!(count(&["--pid", "1", "--pid", &process::id().to_string()]), 2);
    assert_eq!(count(&["--pid", "1"]), 0);
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(count(&["--comm", comm.trim_end()]), 2);
    assert_eq!(count(&["--comm", "nobody"]), 0);
}

#[test]
fn other_network_namespaces_are_seen_and_named() {
    let _alone = alone();
    if !can_trace("namespaces in a list") {
        return;
    }
    // Both the descriptors and the namespace end with the thread.
    let other = thread::spawn(|| {
        // SAFETY: a network namespace invalidates neither memory nor descriptors.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.unwrap().success());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (client, server) = pair(&listener);
        (netns(), listener, client, server)
    });
    let (netns, listener, client, _server) = other.join().unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    assert_eq!(ss(&port), BTreeMap::new(), "in another namespace");
    let rows = list(&["--all", "--port", &port]).rows;
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row["netns"], netns, "{row}");
        let pid = &row["holders"][0]["process"]["pid"];
        assert_eq!(*pid, process::id());
    }
    let text = run(&mut tracer(&["list", "--all", "--port", &port])).stdout;
    assert_eq!(text.matches(&netns.to_string()).count(), 2, "{text}");
    let address = client.local_addr().unwrap().to_string();
    assert_eq!(text.matches(&address).count(), 2, "{text}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let _alone = alone();
    if !can_trace("a list in a pipe") {
        return;
    }
    let mut list = tracer(&["list", "--all"]);
    let mut list = list
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(list.stdout.take());
    let ended = list.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stderr, b"");
}
