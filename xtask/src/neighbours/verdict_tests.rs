use super::*;

use serde_json::json;

fn told(findings: &[Value]) -> Told {
    let started = json!({"type": "started"});
    let table = json!({"type": "table", "peers": [
        {"service_port": 5432, "direction": "outbound", "peer": "127.0.0.1", "older": 40, "opened": 15},
        {"service_port": 5432, "direction": "outbound", "peer": "::1", "older": 0, "opened": 5},
        {"service_port": 5432, "direction": "inbound", "peer": "127.0.0.1", "older": 40, "opened": 20},
        {"service_port": 80, "direction": "outbound", "peer": "127.0.0.1", "older": 0, "opened": 900},
    ]});
    let end = [table, summary()];
    let records = [&started]
        .into_iter()
        .chain(findings)
        .chain(&end)
        .enumerate()
        .map(|(nth, value)| Record {
            after: Duration::from_secs(10 * nth as u64),
            value: value.clone(),
        })
        .collect();
    Told::new(records).unwrap()
}

fn summary() -> Value {
    json!({"type": "summary", "books": {
        "seen": 1000, "submitted": 997, "ring_full": 1, "map_full": 1, "unreadable": 1,
        "received": 997, "decoded": 996, "rejected": 1, "simulated": 0,
        "program_misses": 2, "probe_misses": 0, "untracked": 0,
    }})
}

fn alert(pid: u32, direction: &str, peer: &str, port: u16) -> Value {
    json!({
        "type": "alert", "id": "leak-1", "status": "opened", "process": {"pid": pid, "comm": "a\u{1b}b"},
        "direction": direction, "peer": peer, "service_port": port, "open": 12,
    })
}

const CULPRIT: Culprit = Culprit {
    pid: 7,
    source: "127.0.0.9",
    begun: Duration::from_secs(3),
};

fn verdict(findings: &[Value]) -> [bool; 2] {
    let checks = only_accused(&told(findings), &CULPRIT);
    [checks[0].holds, checks[1].holds]
}

#[test]
fn quiet_is_quiet() {
    assert!(nobody_accused(&told(&[json!({"type": "loss"})])).holds);
}

#[test]
fn every_finding_breaks_the_quiet_of_kinds_unheard_of_too() {
    for kind in ["alert", "stall", "leak"] {
        assert!(!nobody_accused(&told(&[json!({"type": kind})])).holds, "{kind}");
    }
}

#[test]
fn names_do_not_reach_the_terminal_as_they_are() {
    let check = nobody_accused(&told(&[alert(1, "outbound", "127.0.0.1", 1)]));
    assert!(
        check
            .text
            .contains("a\\u{1b}b[1] outbound 127.0.0.1 port 1, 12 open, 10 s"),
        "{}",
        check.text
    );
}

#[test]
fn the_leak_must_be_found() {
    let seen_at_server = alert(1, "inbound", "127.0.0.9", 6379);
    assert_eq!(verdict(&[]), [false, true]);
    assert_eq!(verdict(std::slice::from_ref(&seen_at_server)), [false, true]);
    let own = alert(7, "outbound", "127.0.0.1", 6379);
    assert_eq!(verdict(&[seen_at_server, own]), [true, true]);
}

#[test]
fn nobody_else_may_be_accused() {
    let own = alert(7, "outbound", "127.0.0.1", 6379);
    for other in [
        alert(8, "outbound", "127.0.0.1", 6379),
        alert(8, "outbound", "127.0.0.9", 6379),
        alert(1, "inbound", "127.0.0.1", 6379),
        json!({"type": "stall", "process": {"pid": 1}}),
    ] {
        assert_eq!(verdict(&[own.clone(), other.clone()]), [true, false], "{other}");
    }
}

#[test]
fn the_time_to_the_finding_counts_from_the_leak() {
    let checks = only_accused(&told(&[alert(7, "outbound", "127.0.0.1", 6379)]), &CULPRIT);
    assert!(checks[0].text.contains("found 7 s after"), "{}", checks[0].text);
}

#[test]
fn connections_count_once_for_their_server() {
    let check = |at_least| connections_seen(&told(&[]), "postgres", 5432, at_least);
    assert!(check(60).holds);
    assert_eq!(check(60).text, "postgres: 60 connections seen, at least 60 meant");
    assert!(!check(61).holds);
    assert!(!check(0).holds, "no load was meant");
}

#[test]
fn books_that_do_not_balance_are_told() {
    let mut told = told(&[]);
    let check = books_balance(&told);
    assert!(check.holds);
    assert!(check.text.ends_with("1000 events seen, 6 lost"), "{}", check.text);
    for count in [
        "seen",
        "submitted",
        "received",
        "decoded",
        "ring_full",
        "simulated",
    ] {
        let right = told.books[count].clone();
        for wrong in [json!(right.as_u64().unwrap() + 1), Value::Null] {
            told.books[count] = wrong;
            assert!(!books_balance(&told).holds, "{count}");
        }
        told.books[count] = right;
    }
    assert!(books_balance(&told).holds);
    told.books["program_misses"] = Value::Null;
    assert!(!books_balance(&told).holds);
}

#[test]
fn a_tracer_that_died_has_not_told_all() {
    let record = |kind: &str| Record {
        after: Duration::ZERO,
        value: json!({"type": kind}),
    };
    assert!(Told::new(vec![record("started"), record("table")]).is_err());
    assert!(Told::new(vec![record("started"), record("summary")]).is_err());
}
