use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{HOSTILE, NOW, any_comm, comm, is_harmless, plain, wall};
use crate::{
    model::{
        connection::{ConnectionId, Phase},
        inventory::{
            Inventory,
            tests::sample::{CHILD, CLIENT, HOME, SERVER, held, incident, listener, waiting},
        },
        name::Comm,
        snapshot::{Held, Listener, Snapshot},
    },
    output::{
        json,
        list::{Listing, View, render},
    },
};

const VIEWS: [View; 5] = [
    View::Connections,
    View::Peers,
    View::Processes,
    View::States,
    View::Listeners,
];

fn listing(snapshot: &Snapshot, view: View) -> Listing {
    Listing {
        view,
        inventory: Inventory::of(snapshot, NOW),
        rows: usize::MAX,
        facts: crate::output::circumstances::Facts::new(),
        own_namespace: HOME,
        source: "iterator",
        degraded: Vec::new(),
    }
}

fn shown(snapshot: &Snapshot, view: View) -> String {
    plain(&render(&listing(snapshot, view)))
}

fn lines_of(listing: &Listing) -> Vec<Value> {
    let lines = json::list::lines(listing, wall(), NOW);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const SUM: &str =
    "4 open, 1 half_closed_remote, 1 dead_held, 2 unaccepted, 1 connecting; nothing was left out\n";

#[test]
fn each_connection_takes_a_line() {
    assert_eq!(
        shown(&incident(), View::Connections),
        " process                 fd           local      peer            phase                     age   idle
 grpc-server[20]          8   10.0.0.1:9090  <-  10.0.0.9:40002  open                  ≥ 1h 6m  1h 6m
 grpc-server[20]          7   10.0.0.1:9090  <-  10.0.0.9:40001  open                     ≥ 1m     1s
 grpc-server[20]          9   10.0.0.1:9090  <-  10.0.0.9:40003  half_closed_remote       ≥ 1m     1s
 controller[10]           5  10.0.0.1:50001  ->  10.0.0.7:5432   open                     ≥ 1m     1s
 controller[10] +2 more   6  10.0.0.1:50002  ->  10.0.0.7:5432   open                     ≥ 1m     1s
 controller[10]           8  10.0.0.1:50003  ->  10.0.0.7:5432   dead_held                ≥ 1m    50s
 grpc-server[20]              10.0.0.1:9090  <-  10.0.0.9:40004  unaccepted               ≥ 5s
 grpc-server[20]              10.0.0.1:9090  <-  10.0.0.8:40005  unaccepted, given up     ≥ 3s
 controller[10]           9  10.0.0.1:50004  ->  10.0.0.7:5432   connecting              ≥ 0ms     1s
"
        .to_owned() + SUM
    );
}

#[test]
fn peers_with_those_who_hold_them() {
    assert_eq!(
        shown(&incident(), View::Peers),
        " peer               open   oldest  median        idle  held by                 not open
 -> 10.0.0.7:5432      2     ≥ 1m    ≥ 1m    1s - 50s  controller[10] +1 more  1 dead_held, 1 connecting
 :9090 <- 10.0.0.9     2  ≥ 1h 6m    ≥ 1m  1s - 1h 6m  grpc-server[20]         1 half_closed_remote, 1 unaccepted
 :9090 <- 10.0.0.8     0     ≥ 3s    ≥ 3s              grpc-server[20]         1 unaccepted
"
        .to_owned()
            + SUM
    );
}

#[test]
fn processes_with_their_descriptors() {
    assert_eq!(
        shown(&incident(), View::Processes),
        " process          open   oldest  median        idle    fds  not open
 grpc-server[20]     2  ≥ 1h 6m    ≥ 1m  1s - 1h 6m  64/64  1 half_closed_remote, 2 unaccepted
 controller[10]      2     ≥ 1m    ≥ 1m    1s - 50s  12/64  1 dead_held, 1 connecting
 worker[11]          1     ≥ 1m    ≥ 1m          1s
"
        .to_owned()
            + SUM
    );
}

#[test]
fn states_with_those_who_are_in_them() {
    assert_eq!(
        shown(&incident(), View::States),
        " state               connections   oldest  median        idle  held by
 open                          4  ≥ 1h 6m    ≥ 1m  1s - 1h 6m  controller[10] +2 more
 unaccepted                    2     ≥ 5s    ≥ 3s              grpc-server[20]
 half_closed_remote            1     ≥ 1m    ≥ 1m          1s  grpc-server[20]
 dead_held                     1     ≥ 1m    ≥ 1m         50s  controller[10]
 connecting                    1    ≥ 0ms   ≥ 0ms          1s  controller[10]
"
        .to_owned()
            + SUM
    );
}

#[test]
fn listening_sockets_with_their_queues() {
    let mut snapshot = incident();
    // Shared with a child, and a queue whose listening socket was not read.
    snapshot.listeners.push(listener(701, CHILD, "0.0.0.0:22"));
    snapshot.listeners.push(listener(702, SERVER, "127.0.0.1:8080"));
    snapshot
        .waiting
        .push(waiting(20, 999, "10.0.0.1:8080", "10.0.0.9:40009"));
    let mut listing = listing(&snapshot, View::Listeners);
    listing
        .inventory
        .connections
        .retain(|listed| listed.local.port() < 10_000);
    assert_eq!(
        plain(&render(&listing)),
        " listener        process          queue  waiting  open   oldest  median        idle  not open
 [::]:9090       grpc-server[20]  2/128       5s     2  ≥ 1h 6m    ≥ 1m  1s - 1h 6m  1 half_closed_remote
 none            nobody                              0     ≥ 5s    ≥ 5s              1 unaccepted
 0.0.0.0:22      sshd[1] +1 more  0/128              0
 127.0.0.1:8080  grpc-server[20]  0/128              0
2 open, 1 half_closed_remote, 3 unaccepted; nothing was left out
"
    );
}

#[test]
fn a_usual_table_fits_a_narrow_terminal() {
    let mut snapshot = incident();
    snapshot.waiting.clear();
    snapshot.listeners[0].queued = 0;
    let usual = |row: &Held| row.phase == Phase::Open && row.id != ConnectionId(5);
    snapshot.held.retain(usual);
    for view in VIEWS {
        let shown = shown(&snapshot, view);
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{shown}");
    }
}

#[test]
fn nothing_open_takes_one_line() {
    for view in VIEWS {
        assert_eq!(
            shown(&Snapshot::default(), view),
            "0 open; nothing was left out\n"
        );
    }
}

#[test]
fn what_is_left_out_is_told() {
    let mut snapshot = incident();
    snapshot.untracked = 1500;
    snapshot.undecided = vec![ConnectionId(90), ConnectionId(91)];
    snapshot.listeners[0].queued = 129;
    let mut listing = listing(&snapshot, View::Peers);
    listing.rows = 1;
    listing.degraded = vec!["processes outside this PID namespace are not seen".to_owned()];
    let shown = plain(&render(&listing));
    let lines: Vec<&str> = shown.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            " ... and 2 more; raise --rows to see them",
            "degraded: processes outside this PID namespace are not seen",
            "4 open, 1 half_closed_remote, 1 dead_held, 2 unaccepted, 1 connecting; LEFT OUT 1,500 for which the table \
             had no room (raise --max-connections), 2 that may or may not be held, 127 unaccepted, far back in their \
             queues",
        ]
    );
    let objects = lines_of(&listing);
    assert_eq!(objects.len(), 2, "a row and the summary");
    let summary = &objects[1];
    assert_eq!(
        (
            &summary["untracked"],
            &summary["unread_unaccepted"],
            &summary["rows_hidden"]
        ),
        (&json!(1500), &json!(127), &json!(2))
    );
    assert_eq!(summary["degraded"], json!(listing.degraded));
    // What is hidden by --rows is in the sums.
    assert_eq!(summary["connections"], 9);
}

#[test]
fn what_could_not_be_seen_is_not_nothing() {
    let mut listing = listing(&incident(), View::States);
    listing.degraded = vec!["3 network namespaces cannot be asked".to_owned()];
    let shown = plain(&render(&listing));
    let last: Vec<&str> = shown.lines().rev().take(2).collect();
    assert_eq!(last[1], "degraded: 3 network namespaces cannot be asked");
    assert!(last[0].ends_with("; nothing else was left out"), "{shown}");
}

#[test]
fn other_namespaces_are_named_and_ones_own_is_not() {
    let there = |id, netns| Held {
        netns,
        ..held(id, CLIENT, 3, "10.0.0.1:50000", "10.0.0.7:5432")
    };
    let own = Snapshot {
        held: vec![there(1, HOME)],
        ..Snapshot::default()
    };
    let other = Snapshot {
        held: vec![there(1, HOME + 1)],
        ..Snapshot::default()
    };
    let both = Snapshot {
        held: vec![there(1, HOME), there(2, HOME + 1)],
        ..Snapshot::default()
    };
    for view in [View::Connections, View::Peers, View::Processes, View::States] {
        assert!(!shown(&own, view).contains("netns"));
        let shown_other = shown(&other, view);
        assert!(shown_other.contains("4026531841"), "{shown_other}");
        let shown_both = shown(&both, view);
        let named = match view {
            View::Connections => "4026531841",
            _ => "2 different",
        };
        assert!(shown_both.contains(named), "{shown_both}");
    }
    let elsewhere = Snapshot {
        listeners: vec![Listener {
            netns: HOME + 1,
            ..listener(1, SERVER, "[::]:9090")
        }],
        ..Snapshot::default()
    };
    assert!(shown(&elsewhere, View::Listeners).contains("4026531841"));
}

#[test]
fn a_connection_as_json() {
    let objects = lines_of(&listing(&incident(), View::Connections));
    assert_eq!(objects.len(), 10);
    let process = |pid, comm| json!({"pid": pid, "start_ns": "77", "comm": comm});
    assert_eq!(
        objects[4],
        json!({
            "v": 1, "time": "2026-03-01T14:03:09.250Z", "type": "connection",
            "direction": "outbound", "local": "10.0.0.1:50002", "peer": "10.0.0.7:5432", "service_port": 5432,
            "netns": HOME, "phase": "open", "inode": 1005,
            "age_at_least_seconds": 60.0, "idle_seconds": 1.0, "sent_bytes": "10", "received_bytes": "20",
            "holders": [
                {"process": process(10, "controller"), "fd": 6},
                {"process": process(10, "controller"), "fd": 7},
                {"process": process(11, "worker"), "fd": 6},
            ],
            "holders_hidden": 0,
        })
    );
    assert_eq!(
        objects[7],
        json!({
            "v": 1, "time": "2026-03-01T14:03:09.250Z", "type": "connection",
            "direction": "inbound", "local": "10.0.0.1:9090", "peer": "10.0.0.8:40005", "service_port": 9090,
            "netns": HOME, "phase": "unaccepted", "given_up": true, "listener": 700,
            "age_at_least_seconds": 3.0,
            "holders": [{"process": process(20, "grpc-server")}],
            "holders_hidden": 0,
        })
    );
    assert_eq!(
        objects[9],
        json!({
            "v": 1, "time": "2026-03-01T14:03:09.250Z", "type": "list_summary",
            "connections": 9, "listeners": 2, "rows_hidden": 0, "untracked": 0, "undecided": 0, "unread_unaccepted": 0,
            "phases": {
                "connecting": 1, "unaccepted": 2, "given_up": 1, "open": 4, "half_closed_remote": 1,
                "half_closed_local": 0, "dead_held": 1,
            },
            "source": "iterator", "degraded": [],
        })
    );
}

#[test]
fn groups_as_json() {
    let snapshot = incident();
    let of = |view| lines_of(&listing(&snapshot, view));
    let process = |pid, comm| json!({"pid": pid, "start_ns": "77", "comm": comm});
    let server = process(20, "grpc-server");
    assert_eq!(
        of(View::Processes)[0],
        json!({
            "v": 1, "time": "2026-03-01T14:03:09.250Z", "type": "group",
            "by": "process", "process": server, "descriptors": {"used": 64, "sockets": 32, "limit": 64},
            "connections": 5,
            "phases": {
                "connecting": 0, "unaccepted": 2, "given_up": 1, "open": 2, "half_closed_remote": 1,
                "half_closed_local": 0, "dead_held": 0,
            },
            "age_at_least": {"oldest": 4000.0, "median": 60.0}, "idle": {"least": 1.0, "most": 3990.0},
            "netns": [HOME], "netns_hidden": 0,
            "holders": [{"process": server, "connections": 5}], "holders_hidden": 0,
        })
    );
    let peer = &of(View::Peers)[2];
    let key = [
        &peer["by"],
        &peer["direction"],
        &peer["peer"],
        &peer["service_port"],
    ];
    assert_eq!(json!(key), json!(["peer", "inbound", "10.0.0.8", 9090]));
    assert_eq!(peer.get("idle"), None, "nobody holds it");
    let state = &of(View::States)[1];
    assert_eq!(
        json!([state["by"], state["phase"]]),
        json!(["state", "unaccepted"])
    );
    let listeners = of(View::Listeners);
    assert_eq!(listeners[0]["by"], "listener");
    assert_eq!(
        listeners[0]["listener"],
        json!({
            "inode": 700, "local": "[::]:9090", "netns": HOME, "processes": [server], "processes_hidden": 0,
            "queued": 2, "queue_limit": 128, "oldest_wait_seconds": 5.0,
        })
    );
    let empty = &listeners[1];
    assert_eq!(
        (&empty["connections"], empty.get("age_at_least")),
        (&json!(0), None)
    );
    assert_eq!(empty["listener"].get("oldest_wait_seconds"), None);
}

#[test]
fn one_line_names_a_few_and_counts_the_rest() {
    let many = |id, pid| Held {
        netns: HOME + pid,
        ..held(id, (pid, "many"), 3, "10.0.0.1:50000", "10.0.0.7:5432")
    };
    let snapshot = Snapshot {
        held: (1..=100).map(|pid| many(1, pid)).collect(),
        ..Snapshot::default()
    };
    let connection = &lines_of(&listing(&snapshot, View::Connections))[0];
    assert_eq!(connection["holders"].as_array().unwrap().len(), 16);
    assert_eq!(connection["holders_hidden"], 84);
    assert!(shown(&snapshot, View::Connections).contains(" many[1] +99 more "));
    let snapshot = Snapshot {
        held: (1..=100).map(|pid| many(pid.into(), pid)).collect(),
        ..Snapshot::default()
    };
    let group = &lines_of(&listing(&snapshot, View::Peers))[0];
    for (named, hidden) in [("holders", "holders_hidden"), ("netns", "netns_hidden")] {
        assert_eq!(group[named].as_array().unwrap().len(), 16);
        assert_eq!(group[hidden], 84);
    }
}

/// A world whose names were chosen to harm.
fn hostile(name: Comm) -> Snapshot {
    let mut snapshot = Snapshot {
        waiting: vec![waiting(2, 700, "10.0.0.1:9090", "10.0.0.8:40005")],
        ..incident()
    };
    for row in &mut snapshot.held {
        row.comm = name;
    }
    for row in &mut snapshot.listeners {
        row.comm = name;
    }
    snapshot
}

#[test]
fn hostile_names_are_kept_whole_in_json() {
    for name in HOSTILE {
        let name = comm(name);
        let lines = json::list::lines(&listing(&hostile(name), View::Connections), wall(), NOW);
        assert!(
            lines.lines().all(|line| line.chars().all(is_harmless)),
            "{lines:?}"
        );
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let kept = first["holders"][0]["process"]["comm"].as_str().unwrap();
        assert_eq!(kept, String::from_utf8_lossy(name.bytes()));
    }
}

proptest! {
    #[test]
    fn no_name_harms_a_terminal_or_breaks_a_row(name in any_comm()) {
        let (usual, hostile) = (hostile(Comm::from("usual")), hostile(name));
        for view in VIEWS {
            let rendered = shown(&hostile, view);
            prop_assert!(rendered.lines().all(|line| line.chars().all(is_harmless)), "{:?}", rendered);
            prop_assert_eq!(rendered.lines().count(), shown(&usual, view).lines().count());
            let listing = listing(&hostile, view);
            let lines = json::list::lines(&listing, wall(), NOW);
            prop_assert!(lines.lines().all(|line| line.chars().all(is_harmless)), "{:?}", lines);
        }
    }

    #[test]
    fn extreme_numbers_are_printed(age in any::<u64>(), count in any::<u64>(), queue in any::<u32>()) {
        let mut snapshot = incident();
        for row in &mut snapshot.held {
            (row.age_at_least, row.idle) = (Duration::from_nanos(age), Duration::from_nanos(age));
            (row.sent, row.received) = (count, count);
        }
        snapshot.listeners[0].queued = queue;
        snapshot.descriptors[0].limit = Some(count);
        snapshot.untracked = count;
        for view in VIEWS {
            let listing = listing(&snapshot, view);
            prop_assert!(render(&listing).ends_with('\n'));
            prop_assert!(lines_of(&listing).len() > 1);
        }
    }
}
