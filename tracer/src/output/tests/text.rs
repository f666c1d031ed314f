use std::time::Duration;

use proptest::{collection::vec, prelude::*};

use super::{
    HOSTILE, any_comm, any_finding, comm, confidence, finding, growing, is_harmless, peer, plain, worth,
};
use crate::{
    leak::{
        evidence::Leak,
        finding::{Finding, Kind, Stage},
    },
    model::{
        budget::{PortUse, Standing},
        connection::{Direction, Peer, Phases, ProcessId},
        name::Comm,
        process::ProcessInfo,
        tally::Tally,
        time::Time,
    },
    output::{
        advice::Advice,
        circumstances::Circumstances,
        json,
        record::{Books, Confidence},
        text, wrap,
    },
};

fn shown(finding: &Finding) -> String {
    shown_with(finding, &confidence(0, &[]))
}

fn shown_with(finding: &Finding, confidence: &Confidence) -> String {
    plain(&text::finding(finding, &worth(confidence.clone())))
}

#[test]
fn losses_and_what_is_not_seen_stand_in_the_last_line() {
    let finding = growing(
        Stage::Opened,
        Direction::Inbound,
        comm(b"grpc-server"),
        peer("fd00::9"),
        |leak| leak.evidence.closed_ever = 3,
    );
    let confidence = Confidence {
        older: 12,
        ..confidence(2, &["inbound connections taken by accept are not seen"])
    };
    let text = joined(&shown_with(&finding, &confidence));
    assert!(
        text.ends_with(
            " sure? 3 closed in 57m of watching; 2 events were lost just now, and a lost close looks like a leak; 12 in all \
             were open before the tracer came, or were found later; tracing is degraded, `tracer doctor` says how"
        ),
        "{text}"
    );
}

#[test]
fn what_has_no_name_or_address_of_its_own() {
    let mut kernel = finding(
        Stage::Opened,
        Direction::Outbound,
        comm(b"kworker"),
        peer("10.0.0.7"),
    );
    kernel.process = ProcessId::KERNEL;
    let text = shown(&kernel);
    assert!(text.contains(": kernel -> 10.0.0.7:9090\n"), "{text}");
    assert!(
        text.contains("  next:   the kernel itself holds them, for example"),
        "{text}"
    );

    let mut others = kernel;
    others.process = ProcessId::OTHER;
    let text = shown(&others);
    assert!(text.contains(": other processes -> 10.0.0.7:9090\n"), "{text}");
    assert!(text.contains("raise --max-groups\n  list: "), "{text}");

    for (direction, subject) in [
        (Direction::Outbound, ": sh[4711] -> other peers, any port\n"),
        (Direction::Inbound, ": sh[4711] <- other peers, any port\n"),
    ] {
        let text = shown(&finding(Stage::Opened, direction, comm(b"sh"), Peer::Other));
        assert!(text.contains(subject), "{text}");
        assert!(!text.contains("ss -tnp"), "no command without an address: {text}");
        assert!(text.contains("raise --max-groups\n"), "{text}");
    }

    let nameless = finding(
        Stage::Opened,
        Direction::Outbound,
        Comm::default(),
        peer("10.0.0.7"),
    );
    assert!(shown(&nameless).contains(": ?[4711] -> "));
}

#[test]
fn nothing_that_a_process_chose_gets_into_the_command() {
    for name in HOSTILE {
        let finding = finding(Stage::Opened, Direction::Outbound, comm(name), peer("10.0.0.7"));
        let command = Advice::of(&finding, None).command.unwrap();
        assert_eq!(command.to_string(), "ss -tnp 'dst 10.0.0.7 and dport = 9090'");
    }
}

#[test]
fn losses_are_named_one_by_one_with_their_cure() {
    assert_eq!(text::losses(&Books::default()), "nothing was lost");
    let one = Books {
        rejected: 1,
        unknown_closes: 7,
        stack_table_full: 0,
        no_user_stack: 0,
        ..Books::default()
    };
    assert_eq!(text::losses(&one), "LOST 1 event: 1 record not understood");
    let all = Books {
        ring_full: 1,
        map_full: 2,
        unreadable: 3,
        program_misses: 4,
        rejected: 5,
        untracked: 6,
        ..Books::default()
    };
    assert_eq!(
        text::losses(&all),
        "LOST 21 events: 1 ring buffer full (raise --ring-size), 2 socket table full (raise --max-connections), \
         3 kernel fields unreadable, 4 program runs skipped by the kernel, 5 records not understood, \
         6 ledger full (raise --max-connections)"
    );
}

#[test]
fn the_summary_sums_up() {
    let total = Tally {
        open: 12,
        opened: 100,
        closed: 88,
        failed: 3,
        ..Tally::default()
    };
    assert_eq!(
        text::summary("interrupted", 3725, &total, (2, 1), &Books::default()),
        "interrupted after 1h 2m: 100 connections opened, 88 closed, 12 still open; 3 failed to open; 2 alerts, 1 not \
         resolved\nnothing was lost\n"
    );
    let one = Tally {
        opened: 1,
        closed: 1,
        ..Tally::default()
    };
    assert_eq!(
        text::summary("finished", 3, &one, (1, 0), &Books::default()),
        "finished after 3s: 1 connection opened, 1 closed, 0 still open; 0 failed to open; 1 alert, 0 not \
         resolved\nnothing was lost\n"
    );
}

#[test]
fn the_first_lines_say_what_is_watched_and_what_is_not_seen() {
    assert_eq!(
        text::started("port 9090", "fentry", None, &[]),
        "watching port 9090 with the fentry backend, self-test passed\n"
    );
    assert_eq!(
        text::started(
            "all connections",
            "tracepoint",
            Some("no loopback"),
            &["no accepts".to_owned()]
        ),
        "watching all connections with the tracepoint backend, self-test could not run: no loopback\n\
         degraded: no accepts\n"
    );
}

/// The text must be lines of harmless characters once its own styles are off, and the styles must be nothing but
/// colours: `ESC [ digits m`.
fn check(text: &str) {
    let bare = plain(text);
    assert!(bare.ends_with('\n'));
    assert!(bare.lines().all(|line| line.chars().all(is_harmless)), "{bare:?}");
    for style in text.split('\x1b').skip(1) {
        let style = style.strip_prefix('[').unwrap();
        let (numbers, _) = style.split_once('m').unwrap();
        assert!(
            numbers.chars().all(|c| c.is_ascii_digit() || c == ';'),
            "{style:?}"
        );
    }
}

#[test]
fn who_it_is_who_opened_and_how_long_it_lasts() {
    let finding = finding(
        Stage::Opened,
        Direction::Outbound,
        comm(b"controller"),
        peer("10.0.0.7"),
    );
    let info = ProcessInfo {
        args: b"/usr/bin/controller\0--loop".to_vec(),
        unit: Some("controller.service".into()),
        container: None,
        inner_pid: None,
    };
    let circumstances = Circumstances {
        info: Some(&info),
        standing: Some(Standing {
            used: 812,
            sockets: 800,
            limit: Some(1024),
            lasts: Some(Duration::from_mins(12)),
        }),
        ports: Some(PortUse::new(800, 28_232, 120, 20)),
        openers: vec![(
            ProcessId {
                pid: 7,
                start: Time(1),
            },
            comm(b"parent"),
            36,
        )],
        ..worth(confidence(0, &[]))
    };
    let text = plain(&text::finding(&finding, &circumstances));
    for line in [
        "  who:    /usr/bin/controller --loop (unit controller.service)\n",
        "  opener: parent[7] (36)\n",
        "  limit:  reaches 1024 descriptors in about 1h 52m (1h 39m to 2h 7m), 350 in\n          use; 800 of 28232 local ports, all in 4h 34m at this rate to this\n          destination\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let body = json::finding(&finding, &circumstances);
    let value = serde_json::to_value(body).unwrap();
    assert_eq!(
        value["process"]["args"],
        serde_json::json!(["/usr/bin/controller", "--loop"])
    );
    assert_eq!(value["process"]["unit"], "controller.service");
    assert_eq!(value["descriptors"]["lasts_seconds"], 720.0);
    assert_eq!(
        value["ports"],
        serde_json::json!({"used": 800, "available": 28_232, "lasts_seconds": 16_459.2})
    );
    assert_eq!(value["openers"][0]["connections"], 36);
}

proptest! {
    #[test]
    fn no_finding_harms_a_terminal(
        finding in any_finding(),
        lost in any::<u64>(),
        now in any::<u64>(),
        args in vec(any::<u8>(), 0..1024),
        opener in any_comm(),
    ) {
        let info = ProcessInfo {
            args,
            unit: Some("\u{202e}unit".into()),
            container: Some("\u{1b}[31m".into()),
            inner_pid: Some(1),
        };
        let circumstances = Circumstances {
            info: Some(&info),
            openers: vec![(ProcessId { pid: 1, start: Time(1) }, opener, 3)],
            now: Time(now),
            ..worth(confidence(lost, &["x"]))
        };
        let text = text::finding(&finding, &circumstances);
        check(&text);
        let text = plain(&text);
        for line in text.lines() {
            prop_assert!(wrap::width(line) <= wrap::WIDTH, "too wide: {line:?}");
        }
        // No name can make a line that looks like one of ours.
        let labels = "limit: holds: queue: kept: beat: idle: ages: most: sample: means: next: list: else? sure?";
        for label in labels.split(' ') {
            let lines = text.lines().filter(|line| line.trim_start().starts_with(label) && !line.starts_with("   "));
            prop_assert!(lines.count() <= 1, "{label} {text}");
        }
        prop_assert!(text.lines().count() <= 80, "{text}");
        let is_over = matches!(finding.stage, Stage::Resolved(_));
        let is_update = finding.stage == Stage::Updated && matches!(finding.kind, Kind::Leak(_));
        let advised = text.contains("\n  means:  ") && text.contains("\n  next:   ");
        prop_assert_eq!(advised, !is_over && !is_update, "{}", text);
        let listed = text.contains("\n  list:");
        if !is_update {
            let is_listable = Advice::of(&finding, None).command.is_some();
            prop_assert_eq!(listed, advised && is_listable, "{}", text);
        }
        for no_number in ["NaN", "inf ", "-0"] {
            let is_said = |line: &str| line.starts_with("  ") && line.contains(no_number) && line.contains("growing");
            prop_assert!(!text.lines().any(is_said), "{text}");
        }
    }

    #[test]
    fn no_name_harms_a_terminal(comm in any_comm(), pid in 1..u32::MAX) {
        let process = text::process(ProcessId { pid, start: Time(1) }, comm);
        prop_assert!(process.chars().all(is_harmless), "{:?}", process);
    }
}

#[test]
fn losses_that_were_made_good_are_told_from_fresh_ones() {
    let told = |lost, lost_unhealed| {
        let finding = finding(Stage::Opened, Direction::Outbound, comm(b"sh"), peer("10.0.0.7"));
        let confidence = Confidence {
            lost,
            lost_unhealed,
            ..confidence(0, &[])
        };
        let text = joined(&shown_with(&finding, &confidence));
        text.rsplit("; ").next().unwrap().to_owned()
    };
    assert_eq!(told(0, 0), "no event was lost");
    assert_eq!(
        told(7, 0),
        "7 events were lost, and made good from the descriptor tables"
    );
    assert_eq!(
        told(7, 1),
        "1 event was lost just now, and a lost close looks like a leak"
    );
}

/// The text as one line.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_shut_down_and_kept_is_told_as_that() {
    let half = |leak: &mut Leak| {
        leak.phases = Phases {
            open: 10,
            half_closed_local: 27,
            ..Phases::default()
        };
    };
    let shut = growing(
        Stage::Opened,
        Direction::Inbound,
        comm(b"server"),
        peer("10.0.0.7"),
        half,
    );
    let Advice { meaning, next, .. } = Advice::of(&shut, None);
    assert_eq!(
        meaning,
        "this process has shut most of them down, and keeps their descriptors"
    );
    assert_eq!(
        next,
        "look in server for a close that is missing, or not reached, after the end of a connection from 10.0.0.7 to port \
         9090"
    );
}
