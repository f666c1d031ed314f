//! `docs/schema.json` is what `tracer schema` prints, and what `tracer --output json` prints is what it describes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support {
    pub mod alerts;
    pub mod leak;
    pub mod listed;
    pub mod optional;
    pub mod run;
    pub mod snapshot;
}

use std::{
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread,
    time::Duration,
};

use jsonschema::Validator;
use serde_json::{Value, json};
use support::{
    alerts,
    leak::leak_before,
    listed,
    optional::optional,
    run::{can_trace, run, tracer},
    snapshot::snapshot,
};
use tracer::output::record::{
    AgeQuantiles, AlertStatus, Body, Books, Cause, Confidence, Corrected, Counts, Descriptors, Direction,
    Failures, HeldGroup, LifetimeQuantiles, Loss, PeerRow, Ports, Process, ProcessRow, ProgramMisses, Record,
    Resolution, Sender, Stall, Started, State, Summary, Table, Totals, VERSION,
};

fn schema() -> Value {
    let printed = run(&mut tracer(&["schema"]));
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    serde_json::from_str(&printed.stdout).unwrap()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

/// The schema as strict as it gets: a field that it does not name is an error. (Published it is open, for fields may
/// be added.)
fn strict() -> Validator {
    let mut schema = schema();
    // These are described together with the fields that all lines have.
    let lines = [
        "Started",
        "Alert",
        "Limit",
        "Stall",
        "Table",
        "Loss",
        "Summary",
        "ListedConnection",
        "ListedGroup",
        "ListSummary",
        "ListedStack",
        "StackSummary",
    ];
    for (name, definition) in schema["$defs"].as_object_mut().unwrap() {
        if definition["type"] == "object" && !lines.contains(&name.as_str()) {
            definition["unevaluatedProperties"] = json!(false);
        }
    }
    schema["unevaluatedProperties"] = json!(false);
    validator(&schema)
}

#[track_caller]
fn assert_valid(validator: &Validator, line: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(line)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{line:#}\n{}", errors.join("\n"));
}

#[test]
fn the_published_schema_is_the_current_one() {
    let printed = run(&mut tracer(&["schema"]));
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    snapshot("../docs/schema.json", &printed.stdout);
}

#[test]
fn real_output_is_valid() {
    if !can_trace("real output against the schema") {
        return;
    }
    let mut outputs = leak_before(|port| {
        let options = "--output json --interval 300ms --duration 3s --min-opened 3 --min-span 500ms --port";
        let arguments: Vec<&str> = options.split(' ').chain([port]).collect();
        let mut command = tracer(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        vec![command.spawn().unwrap()]
    });
    let output = outputs.remove(0);
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();

    let strict = strict();
    for line in &lines {
        assert_valid(&strict, line);
    }
    let of_type = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!(lines.first().unwrap()["type"], "started", "{stdout}");
    assert_eq!(lines.last().unwrap()["type"], "summary", "{stdout}");
    assert_eq!((of_type("started"), of_type("summary")), (1, 1), "{stdout}");
    assert!(of_type("alert") >= 2, "both ends leak: {stdout}");
    assert!(of_type("table") >= 5, "{stdout}");
    assert!(
        lines
            .iter()
            .any(|line| line["processes"][0]["open_age"].is_object()),
        "a table with rows: {stdout}"
    );
    let validator = validator(&schema());
    for line in &lines {
        assert_broken_copies_are_refused(&validator, line);
    }
}

#[test]
fn real_lists_are_valid() {
    if !can_trace("real lists against the schema") {
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let _connected = TcpStream::connect(address).unwrap();
    let _accepted = listener.accept().unwrap();
    let (strict, validator) = (strict(), validator(&schema()));
    let port = address.port().to_string();
    for view in [
        "--all",
        "--by=peer",
        "--by=process",
        "--by=state",
        "--by=listener",
    ] {
        let list = run(&mut tracer(&["list", view, "--output", "json", "--port", &port]));
        assert_eq!(list.code, Some(0), "{}", list.stderr);
        let lines: Vec<Value> = list
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(lines.len() > 1, "{view}: {}", list.stdout);
        assert_eq!(lines.last().unwrap()["type"], "list_summary");
        for line in &lines {
            assert_valid(&strict, line);
            assert_broken_copies_are_refused(&validator, line);
        }
    }
}

#[test]
fn real_lists_by_stack_are_valid() {
    if !can_trace("real lists by stack against the schema") {
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let _before = TcpStream::connect(address).unwrap();
    let port = address.port().to_string();
    let mut list = tracer(&[
        "list", "--by", "stack", "--for", "2s", "--output", "json", "--port", &port,
    ]);
    let list = thread::spawn(move || run(&mut list));
    // Until it is attached, and then as long as it takes.
    let mut opened = Vec::new();
    while !list.is_finished() {
        opened.push(TcpStream::connect(address).unwrap());
        thread::sleep(Duration::from_millis(100));
    }
    let list = list.join().unwrap();
    assert_eq!(list.code, Some(0), "{}", list.stderr);
    let (strict, validator) = (strict(), validator(&schema()));
    let lines: Vec<Value> = list
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.last().unwrap()["type"], "stack_summary");
    assert!(lines.last().unwrap()["opened_before"].as_u64() >= Some(1));
    assert!(
        lines.iter().any(|line| line["type"] == "opened_by"),
        "{}",
        list.stdout
    );
    for line in &lines {
        assert_valid(&strict, line);
        assert_broken_copies_are_refused(&validator, line);
    }
}

/// Changes a valid line in ways that the schema must notice.
fn assert_broken_copies_are_refused(validator: &Validator, line: &Value) {
    let refused = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut broken = line.clone();
        change(&mut broken);
        assert_ne!(&broken, line, "{what}: nothing was changed");
        assert!(!validator.is_valid(&broken), "{what}: {broken:#}");
    };
    for (field, wrong) in [
        ("v", vec![json!(2), json!("1")]),
        ("time", vec![json!("yesterday"), json!(1)]),
        ("type", vec![json!("unknown"), json!("Alert"), json!(null)]),
    ] {
        for value in wrong {
            refused(field, &|line| line[field] = value.clone());
        }
    }
    let optional = optional(line["type"].as_str().unwrap());
    for field in line.as_object().unwrap().keys() {
        refused(field, &|line| line[field] = json!({"no": "such"}));
        if !optional.contains(&field.as_str()) {
            refused(field, &|line| {
                line.as_object_mut().unwrap().remove(field);
            });
        }
    }
    if line["type"] == "alert" {
        if line["scope"] == "group" {
            refused("port", &|line| line["service_port"] = json!(70_000));
        }
        refused("tier", &|line| line["tier"] = json!("certain"));
        refused("count", &|line| line["open"] = json!(-1));
        refused("status", &|line| line["status"] = json!("maybe"));
        refused("process", &|line| {
            line["process"]["start_ns"] = json!("12 seconds");
        });
    }
}

fn extreme_process(comm: &str, pid: Option<u32>) -> Process {
    Process {
        pid,
        start_ns: u64::MAX.to_string(),
        comm: comm.to_owned(),
        args: Vec::new(),
        unit: None,
        container: None,
        inner_pid: None,
    }
}

fn extreme_counts(full: bool) -> Counts {
    let seconds = f64::MAX;
    Counts {
        totals: Totals {
            older: if full { u64::MAX } else { 0 },
            ..TOTALS
        },
        opened_per_minute: u32::MAX,
        closed_per_minute: u32::MAX,
        open_age: full.then_some(AgeQuantiles {
            at_least: true,
            oldest: seconds,
            median: seconds,
            p90: seconds,
        }),
        state: if full { State::Draining } else { State::WarmingUp },
        lifetime: full.then_some(LifetimeQuantiles {
            median: 0.0,
            p90: seconds,
        }),
        failures: if full { failures() } else { Vec::new() },
    }
}

fn failures() -> Vec<Failures> {
    let of = |errno, error| Failures {
        errno,
        error,
        count: u64::MAX,
    };
    vec![of(u16::MAX, None), of(111, Some("ECONNREFUSED"))]
}

fn descriptors(full: bool) -> Descriptors {
    Descriptors {
        used: u32::MAX,
        sockets: 0,
        limit: full.then_some(u64::MAX),
        lasts_seconds: full.then_some(f64::MAX),
    }
}

const TOTALS: Totals = Totals {
    older: u64::MAX,
    open: u32::MAX,
    half_closed_remote: u32::MAX,
    half_closed_local: 0,
    dead_held: u32::MAX,
    connecting: 0,
    unaccepted: u32::MAX,
    opened: u64::MAX,
    closed: u64::MAX,
    received: u64::MAX,
    given: u64::MAX,
    failed: u64::MAX,
};

const BOOKS: Books = Books {
    seen: u64::MAX,
    submitted: u64::MAX,
    ring_full: u64::MAX,
    map_full: u64::MAX,
    unreadable: u64::MAX,
    program_misses: u64::MAX,
    probe_misses: u64::MAX,
    received: u64::MAX,
    decoded: u64::MAX,
    rejected: u64::MAX,
    simulated: u64::MAX,
    elsewhere: u64::MAX,
    untracked: u64::MAX,
    unlisted: u64::MAX,
    overflowed: u64::MAX,
    unobserved_ends: u64::MAX,
    unknown_closes: u64::MAX,
    stack_table_full: u64::MAX,
    no_user_stack: u64::MAX,
    orphans: u64::MAX,
    duplicates: u64::MAX,
};

fn confidence(full: bool) -> Confidence {
    Confidence {
        attached_since: "1970-01-01T00:00:00.000Z".to_owned(),
        lost: u64::MAX,
        lost_unhealed: u64::MAX,
        reconciled: full.then(|| "2026-03-01T14:03:09.250Z".to_owned()),
        older: u64::MAX,
        corrected: full.then_some(Corrected {
            added: u64::MAX,
            ended: 0,
            moved: 1,
        }),
        degraded: vec![String::new(); 3],
    }
}

fn stall(status: AlertStatus, full: bool) -> Stall {
    let sender = Sender {
        peer: "::".to_owned(),
        waiting: u32::MAX,
    };
    let held = HeldGroup {
        direction: Direction::Outbound,
        peer: "other".to_owned(),
        service_port: 0,
        open: u32::MAX,
    };
    Stall {
        id: String::new(),
        status,
        process: extreme_process("\u{1b}", full.then_some(u32::MAX)),
        holders: u32::MAX,
        holders_at_limit: u32::MAX,
        at_limit: full,
        descriptors: full.then(|| descriptors(full)),
        held: if full { vec![held] } else { Vec::new() },
        listener: u64::MAX,
        local: "[::]:65535".to_owned(),
        netns: u32::MAX,
        queued: u32::MAX,
        peak: u32::MAX,
        queue_limit: full.then_some(u32::MAX),
        queue_full: !full,
        oldest_wait_seconds: f64::MAX,
        stuck_seconds: 0.0,
        examined: u32::MAX,
        given_up: u32::MAX,
        peers: if full { vec![sender] } else { Vec::new() },
        elsewhere: u32::MAX,
        since: "1970-01-01T00:00:00.000Z".to_owned(),
        resolution: full.then_some(Resolution::ListenerGone),
        confidence: confidence(full),
        meaning: String::new(),
        advice: String::new(),
    }
}

#[test]
fn extreme_values_are_valid() {
    let table = Table {
        processes: vec![
            ProcessRow {
                process: extreme_process("", None),
                descriptors: Some(descriptors(true)),
                counts: extreme_counts(true),
            },
            ProcessRow {
                process: extreme_process("x", Some(0)),
                descriptors: Some(descriptors(false)),
                counts: extreme_counts(false),
            },
        ],
        processes_hidden: u64::MAX,
        peers: vec![PeerRow {
            direction: Direction::Inbound,
            peer: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".to_owned(),
            service_port: 0,
            ports: Some(Ports {
                used: u32::MAX,
                available: 0,
                lasts_seconds: None,
            }),
            counts: extreme_counts(true),
        }],
        peers_hidden: u64::MAX,
        total: TOTALS,
    };
    let started = |verified| {
        Body::Started(Started {
            version: String::new(),
            backend: "fentry".to_owned(),
            degraded: Vec::new(),
            verified,
        })
    };
    let summary = Summary {
        reason: String::new(),
        seconds: f64::MAX,
        total: TOTALS,
        alerts: u64::MAX,
        alerts_unresolved: u64::MAX,
        failures: failures(),
        books: BOOKS,
        programs: vec![
            ProgramMisses {
                program: "kp_tcp_close".to_owned(),
                runs: u64::MAX,
                hits: Some(u64::MAX),
            },
            ProgramMisses {
                program: String::new(),
                runs: 0,
                hits: None,
            },
        ],
    };
    let strict = strict();
    let validator = validator(&schema());
    for body in [
        started(Some(true)),
        started(None),
        Body::Stall(stall(AlertStatus::Opened, false)),
        Body::Stall(stall(AlertStatus::Resolved, true)),
        Body::Table(table),
        Body::Summary(summary),
        Body::Loss(Loss {
            cause: Cause::ProgramMisses,
            count: u64::MAX,
            since: "2026-03-01T14:03:09.250Z".to_owned(),
        }),
    ]
    .into_iter()
    .chain(listed::extremes())
    .chain(alerts::extremes(&|| confidence(true)))
    {
        let line = serde_json::to_value(Record {
            v: VERSION,
            time: "2026-03-01T14:03:09.250Z".to_owned(),
            body,
        })
        .unwrap();
        assert_valid(&strict, &line);
        assert_broken_copies_are_refused(&validator, &line);
        let mut added = line.clone();
        added["field_of_a_later_release"] = json!(1);
        assert_valid(&validator, &added);
        assert!(!strict.is_valid(&added), "the strict schema is not strict");
    }
}
