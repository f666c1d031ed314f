use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;

use super::{any_comm, comm, is_harmless, peer};
use crate::{
    model::{
        budget::Standing,
        connection::{Direction, Peer, PeerKey, Phases, ProcessId},
        name::Comm,
        tally::Tally,
        time::Time,
        trend::State,
        view::{Age, Ages, Counts, ProcessKey, Row},
    },
    output::{json, table::render},
};

/// A row with everything in it.
fn row<K>(key: K, open: u32) -> Row<K> {
    Row {
        key,
        counts: Counts {
            tally: Tally {
                open,
                opened: u64::from(open) + 88,
                older: 7,
                closed: 88,
                ..Tally::default()
            },
            opened_per_minute: 6,
            closed_per_minute: 0,
            phases: Phases {
                open,
                ..Phases::default()
            },
            ages: Some(Ages {
                oldest: Age {
                    span: Duration::from_hours(25),
                    at_least: true,
                },
                median: Age::exactly(Duration::from_secs(4000)),
                p90: Age::exactly(Duration::from_secs(80_000)),
            }),
            lifetimes: Some((Duration::from_millis(12), Duration::from_secs(3))),
            failures: Vec::new(),
            state: State::Growing,
        },
    }
}

/// A row of something that opened nothing yet.
fn idle<K>(key: K) -> Row<K> {
    let Row { key, counts } = row(key, 0);
    Row {
        key,
        counts: Counts {
            tally: Tally {
                older: 7,
                ..Tally::default()
            },
            opened_per_minute: 0,
            ages: None,
            lifetimes: None,
            state: State::WarmingUp,
            ..counts
        },
    }
}

fn process(pid: u32, comm: Comm) -> ProcessKey {
    let start = Time(1);
    ProcessKey {
        id: ProcessId { pid, start },
        comm,
        standing: None,
    }
}

fn peer_key(direction: Direction, peer: Peer) -> PeerKey {
    PeerKey {
        direction,
        peer,
        service_port: 9090,
    }
}

fn total() -> Tally {
    Tally {
        open: 1012,
        connecting: 2,
        opened: 1100,
        older: 7,
        closed: 88,
        failed: 3,
        ..Tally::default()
    }
}

#[test]
fn both_views_under_one_line_of_totals() {
    let other = ProcessKey {
        id: ProcessId::OTHER,
        comm: Comm::default(),
        standing: None,
    };
    let kernel = ProcessKey {
        id: ProcessId::KERNEL,
        comm: Comm::default(),
        standing: None,
    };
    let processes = vec![
        row(process(4711, comm(b"controller")), 1012),
        row(other, 5),
        row(kernel, 1),
        idle(process(88, comm(b"sh"))),
    ];
    let peers = vec![
        row(peer_key(Direction::Outbound, peer("10.0.0.7")), 1000),
        row(peer_key(Direction::Outbound, peer("fd00::7")), 12),
        row(peer_key(Direction::Inbound, peer("fd00::9")), 5),
        row(peer_key(Direction::Outbound, Peer::Other), 4),
        row(peer_key(Direction::Inbound, Peer::Other), 3),
    ];
    let rendered = render(
        "14:03:09Z",
        &(processes, 7),
        &(peers, 5),
        &total(),
        None,
        "nothing was lost",
    );
    assert_eq!(
        rendered,
        "\
14:03:09Z 1012 open, 7 found open, 1100 opened, 88 closed, 3 failed, 2 connecting; nothing was lost
 process           open  +/min  -/min  opened  closed   oldest  median  lived  state
 controller[4711]  1012      6      0    1100      88  ≥ 1d 1h   1h 6m   12ms  growing
 other processes      5      6      0      93      88  ≥ 1d 1h   1h 6m   12ms  growing
 kernel               1      6      0      89      88  ≥ 1d 1h   1h 6m   12ms  growing
 sh[88]               0      0      0       0       0                          warming up
 ... and 3 more; raise --rows to see them
 peer               open  +/min  -/min  opened  closed   oldest  median  lived  state
 -> 10.0.0.7:9090   1000      6      0    1088      88  ≥ 1d 1h   1h 6m   12ms  growing
 -> [fd00::7]:9090    12      6      0     100      88  ≥ 1d 1h   1h 6m   12ms  growing
 :9090 <- fd00::9      5      6      0      93      88  ≥ 1d 1h   1h 6m   12ms  growing
 -> other              4      6      0      92      88  ≥ 1d 1h   1h 6m   12ms  growing
 <- other              3      6      0      91      88  ≥ 1d 1h   1h 6m   12ms  growing
"
    );
}

#[test]
fn what_is_out_of_the_ordinary_stands_below_its_row() {
    let mut server = row(process(88, comm(b"server")), 60);
    server.key.standing = Some(Standing {
        used: 64,
        sockets: 61,
        limit: Some(64),
        lasts: Some(Duration::ZERO),
    });
    server.counts.phases = Phases {
        open: 10,
        half_closed_remote: 20,
        half_closed_local: 1,
        dead_held: 29,
    };
    server.counts.tally.unaccepted = 12;
    let mut client = row(process(99, comm(b"client")), 512);
    client.key.standing = Some(Standing {
        used: 520,
        sockets: 512,
        limit: Some(1024),
        lasts: Some(Duration::from_mins(12)),
    });
    let mut calm = row(process(100, comm(b"calm")), 3);
    calm.key.standing = Some(Standing {
        used: 20,
        sockets: 3,
        limit: Some(1024),
        lasts: None,
    });
    let mut destination = row(peer_key(Direction::Outbound, peer("10.0.0.7")), 20_000);
    destination.counts.failures = vec![(111, 5), (0, 1), (200, 2)];
    let rendered = render(
        "14:03:09Z",
        &(vec![server, client, calm], 3),
        &(vec![destination], 1),
        &total(),
        Some(28_232),
        "x",
    );
    let remarks: Vec<&str> = rendered
        .lines()
        .filter(|line| line.starts_with("     "))
        .collect();
    assert_eq!(
        remarks,
        [
            "     64 of 64 descriptors, none left; 20 half_closed_remote; 1",
            "     half_closed_local; 29 dead_held; 12 unaccepted",
            "     520 of 1024 descriptors, all in 12m at this rate",
            "     20000 of 28232 local ports, all in 22h 52m at this rate; failed: 5 refused,",
            "     1 given up, 2 error 200",
        ]
    );
}

#[test]
fn nothing_to_show_takes_one_line() {
    let none = Tally::default();
    let rendered = render(
        "14:03:09Z",
        &(vec![], 0),
        &(vec![], 0),
        &none,
        None,
        "LOST 1 event: x",
    );
    assert_eq!(
        rendered,
        "14:03:09Z 0 open, 0 opened, 0 closed, 0 failed, 0 connecting; LOST 1 event: x\n"
    );
    // Attempts that failed, of processes that are forgotten: no empty table.
    let rendered = render("14:03:09Z", &(vec![], 0), &(vec![], 0), &total(), None, "y");
    assert_eq!(rendered.lines().count(), 1);
}

#[test]
fn the_json_table_holds_the_same() {
    let processes = (vec![row(process(4711, comm(b"controller")), 1012)], 3);
    let peers = (vec![idle(peer_key(Direction::Inbound, peer("10.0.0.9")))], 1);
    let value = serde_json::to_value(json::table(
        &processes,
        &peers,
        json::totals(&total(), Phases::default()),
        Some(28_232),
        &HashMap::new(),
    ))
    .unwrap();
    assert_eq!(
        value,
        serde_json::json!({
            "processes": [{
                "process": {"pid": 4711, "start_ns": "1", "comm": "controller"},
                "open": 1012, "half_closed_remote": 0, "half_closed_local": 0, "dead_held": 0,
                "connecting": 0, "unaccepted": 0, "opened": 1100, "older": 7, "closed": 88,
                "received": 0, "given": 0, "failed": 0,
                "opened_per_minute": 6, "closed_per_minute": 0,
                "open_age": {"oldest": 90_000.0, "median": 4000.0, "p90": 80_000.0, "at_least": true},
                "lifetime": {"median": 0.012, "p90": 3.0},
                "state": "growing",
            }],
            "processes_hidden": 2,
            "peers": [{
                "direction": "inbound", "peer": "10.0.0.9", "service_port": 9090,
                "open": 0, "half_closed_remote": 0, "half_closed_local": 0, "dead_held": 0,
                "connecting": 0, "unaccepted": 0, "opened": 0, "older": 7, "closed": 0,
                "received": 0, "given": 0, "failed": 0,
                "opened_per_minute": 0, "closed_per_minute": 0,
                "state": "warming_up",
            }],
            "peers_hidden": 0,
            "total": {
                "open": 1012, "half_closed_remote": 0, "half_closed_local": 0, "dead_held": 0,
                "connecting": 2, "unaccepted": 0, "opened": 1100, "older": 7, "closed": 88,
                "received": 0, "given": 0, "failed": 3,
            },
        })
    );
}

proptest! {
    #[test]
    fn no_name_harms_a_terminal_or_breaks_a_row(names in proptest::collection::vec(any_comm(), 1..6)) {
        let rows: Vec<_> = names.iter().map(|name| row(process(1, *name), u32::MAX)).collect();
        let count = rows.len();
        let rendered = render("14:03:09Z", &(rows, count), &(vec![], 0), &total(), None, "z");
        prop_assert!(rendered.lines().all(|line| line.chars().all(is_harmless)), "{:?}", rendered);
        prop_assert_eq!(rendered.lines().count(), 2 + count);
    }
}
