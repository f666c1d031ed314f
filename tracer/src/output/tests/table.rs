use std::time::Duration;

use proptest::prelude::*;

use super::{any_comm, comm, is_harmless, peer};
use crate::{
    model::{
        connection::{Direction, Peer, PeerKey, ProcessId},
        name::Comm,
        tally::Tally,
        time::Time,
        view::{Age, Ages, ProcessKey, Row},
    },
    output::{json, table::render},
};

/// A row with everything in it.
fn row<K>(key: K, open: u32) -> Row<K> {
    Row {
        key,
        open,
        connecting: 0,
        opened: u64::from(open) + 88,
        older: 7,
        closed: 88,
        failed: 0,
        opened_per_minute: 6,
        closed_per_minute: 0,
        ages: Some(Ages {
            oldest: Age {
                span: Duration::from_hours(25),
                at_least: true,
            },
            median: Age::exactly(Duration::from_secs(4000)),
            p90: Age::exactly(Duration::from_secs(80_000)),
        }),
        lifetimes: Some((Duration::from_millis(12), Duration::from_secs(3))),
    }
}

/// A row of something that opened nothing yet.
fn idle<K>(key: K) -> Row<K> {
    Row {
        opened: 0,
        closed: 0,
        opened_per_minute: 0,
        ages: None,
        lifetimes: None,
        ..row(key, 0)
    }
}

fn process(pid: u32, comm: Comm) -> ProcessKey {
    let start = Time(1);
    ProcessKey {
        id: ProcessId { pid, start },
        comm,
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
    };
    let kernel = ProcessKey {
        id: ProcessId::KERNEL,
        comm: Comm::default(),
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
        "nothing was lost",
    );
    assert_eq!(
        rendered,
        "\
14:03:09Z 1012 open, 7 found open, 1100 opened, 88 closed, 3 failed, 2 connecting; nothing was lost
 process           open  +/min  -/min  opened  closed   oldest  age p50  age p90  lived p50  lived p90
 controller[4711]  1012      6      0    1100      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
 other processes      5      6      0      93      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
 kernel               1      6      0      89      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
 sh[88]               0      0      0       0       0
 ... and 3 more; raise --rows to see them
 peer               open  +/min  -/min  opened  closed   oldest  age p50  age p90  lived p50  lived p90
 -> 10.0.0.7:9090   1000      6      0    1088      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
 -> [fd00::7]:9090    12      6      0     100      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
 :9090 <- fd00::9      5      6      0      93      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
 -> other              4      6      0      92      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
 <- other              3      6      0      91      88  ≥ 1d 1h    1h 6m  22h 13m       12ms         3s
"
    );
}

#[test]
fn nothing_to_show_takes_one_line() {
    let none = Tally::default();
    let rendered = render("14:03:09Z", &(vec![], 0), &(vec![], 0), &none, "LOST 1 event: x");
    assert_eq!(
        rendered,
        "14:03:09Z 0 open, 0 opened, 0 closed, 0 failed, 0 connecting; LOST 1 event: x\n"
    );
    // Attempts that failed, of processes that are forgotten: no empty table.
    let rendered = render("14:03:09Z", &(vec![], 0), &(vec![], 0), &total(), "y");
    assert_eq!(rendered.lines().count(), 1);
}

#[test]
fn the_json_table_holds_the_same() {
    let processes = (vec![row(process(4711, comm(b"controller")), 1012)], 3);
    let peers = (vec![idle(peer_key(Direction::Inbound, peer("10.0.0.9")))], 1);
    let value = serde_json::to_value(json::table(&processes, &peers, &total())).unwrap();
    assert_eq!(
        value,
        serde_json::json!({
            "processes": [{
                "process": {"pid": 4711, "start_ns": "1", "comm": "controller"},
                "open": 1012, "connecting": 0, "opened": 1100, "older": 7, "closed": 88, "failed": 0,
                "opened_per_minute": 6, "closed_per_minute": 0,
                "open_age": {"oldest": 90_000.0, "median": 4000.0, "p90": 80_000.0, "at_least": true},
                "lifetime": {"median": 0.012, "p90": 3.0},
            }],
            "processes_hidden": 2,
            "peers": [{
                "direction": "inbound", "peer": "10.0.0.9", "service_port": 9090,
                "open": 0, "connecting": 0, "opened": 0, "older": 7, "closed": 0, "failed": 0,
                "opened_per_minute": 0, "closed_per_minute": 0,
            }],
            "peers_hidden": 0,
            "total": {"open": 1012, "connecting": 2, "opened": 1100, "older": 7, "closed": 88, "failed": 3},
        })
    );
}

proptest! {
    #[test]
    fn no_name_harms_a_terminal_or_breaks_a_row(names in proptest::collection::vec(any_comm(), 1..6)) {
        let rows: Vec<_> = names.iter().map(|name| row(process(1, *name), u32::MAX)).collect();
        let count = rows.len();
        let rendered = render("14:03:09Z", &(rows, count), &(vec![], 0), &total(), "z");
        prop_assert!(rendered.lines().all(|line| line.chars().all(is_harmless)), "{:?}", rendered);
        prop_assert_eq!(rendered.lines().count(), 2 + count);
    }
}
