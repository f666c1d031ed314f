use std::time::Duration;

use serde_json::Value;

use super::{
    HOSTILE, NETNS, NOW, comm, confidence, finding, growing, is_harmless, peer, plain, stalled, wall, worth,
};
use crate::{
    leak::{
        evidence::Class,
        finding::{Finding, Queue, Resolution, Stage, Stalled},
    },
    model::connection::{Direction, ProcessId},
    output::{advice::Advice, json, text, wrap},
};

fn shown(finding: &Finding) -> String {
    plain(&text::finding(finding, &worth(confidence(0, &[]))))
}

fn server(stage: Stage, change: impl FnOnce(&mut Stalled)) -> Finding {
    stalled(stage, comm(b"grpc-server"), change)
}

#[test]
fn a_server_at_its_descriptor_limit() {
    assert_eq!(
        shown(&server(Stage::Opened, |_| {})),
        "\
14:03:09Z SERVER STALLED stall-1: grpc-server[4712] at 0.0.0.0:9090
  12 wait to be accepted (queue limit 128), the first for 14s; nothing was
  accepted for at least 5s; it began 14:02:55Z, 14s ago
  limit:  64 of 64 descriptors in use, 58 of them TCP sockets
  holds:  :9090 <- 10.0.0.9 (56), -> [fd00::5]:5432 (1)
  queue:  from 10.0.0.9 (9), 10.0.0.8 (3); 3 of these 12 have given up
  means:  clients see connect succeed and then time out: this process has no
          descriptor left, so accept fails (EMFILE)
  next:   find what grpc-server opens and does not close, most often
          connections; a higher limit (prlimit --pid 4712 --nofile=NUMBER) only
          buys time
  list:   ss -ltnp 'sport = :9090'
  sure?   the same connection was the first in the queue in snapshots 5s apart
"
    );
}

#[test]
fn a_server_that_just_stops_accepting_and_whose_queue_is_full() {
    let finding = server(Stage::Updated, |stalled| {
        (stalled.holders_at_limit, stalled.at_limit) = (0, false);
        stalled.descriptors = None;
        stalled.held.clear();
        stalled.holders = 5;
        stalled.queue = Queue {
            length: 129,
            examined: 64,
            given_up: 0,
            elsewhere: 2,
            ..std::mem::take(&mut stalled.queue)
        };
    });
    assert_eq!(
        shown(&finding),
        "\
14:03:09Z SERVER STILL STALLED stall-1: grpc-server[4712] and 4 other processes
    at 0.0.0.0:9090
  129 wait to be accepted (queue full, limit 128), the first for 14s; nothing
  was accepted for at least 5s; it began 14:02:55Z, 14s ago
  queue:  the first 64 are from 10.0.0.9 (9), 10.0.0.8 (3), others (2)
  means:  clients see connect succeed and then time out: this process has
          stopped accepting; the queue is full, so further clients cannot even
          connect
  next:   find what the threads of grpc-server wait for instead of accepting:
          /proc/4712/task/*/stack, or a debugger
  list:   ss -ltnp 'sport = :9090'
  sure?   the same connection was the first in the queue in snapshots 5s apart
"
    );
}

#[test]
fn workers_at_their_limit_behind_a_master_that_is_not() {
    let finding = server(Stage::Opened, |stalled| {
        (stalled.holders, stalled.holders_at_limit, stalled.at_limit) = (5, 4, false);
    });
    let advice = Advice::of(&finding, None);
    assert!(
        advice.meaning.ends_with(
            "nothing is accepted, and 4 of the 5 processes that could are at their descriptor limit"
        ),
        "{advice:?}"
    );
}

#[test]
fn a_resolved_stall_says_how() {
    for (resolution, words) in [
        (
            Resolution::AcceptingAgain,
            "accepting again: 1 waits now, 12 at the peak; it began 14:02:55Z, 14s ago",
        ),
        (
            Resolution::ListenerGone,
            "nobody listens there any more: 1 waits now, 12 at the peak; it began\n  14:02:55Z, 14s ago",
        ),
    ] {
        let finding = server(Stage::Resolved(resolution), |stalled| stalled.queue.length = 1);
        let headline = "14:03:09Z RESOLVED stall-1: grpc-server[4712] at 0.0.0.0:9090";
        assert_eq!(shown(&finding), format!("{headline}\n  {words}\n"));
    }
}

#[test]
fn commands_enter_the_network_namespace_of_what_they_list() {
    let commands = |netns| {
        [
            server(Stage::Opened, |_| {}),
            finding(
                Stage::Opened,
                Direction::Outbound,
                comm(b"controller"),
                peer("10.0.0.7"),
            ),
        ]
        .map(|finding| {
            let finding = Finding { netns, ..finding };
            Advice::of(&finding, Some(NETNS)).command.unwrap().to_string()
        })
    };
    let here = [
        "ss -ltnp 'sport = :9090'",
        "ss -tnp 'dst 10.0.0.7 and dport = 9090'",
    ];
    assert_eq!(commands(Some(NETNS)), here);
    assert_eq!(commands(None), here, "unknown");
    assert_eq!(
        commands(Some(NETNS + 1)),
        [
            "nsenter -t 4712 -n ss -ltnp 'sport = :9090'",
            "nsenter -t 4711 -n ss -tnp 'dst 10.0.0.7 and dport = 9090'"
        ]
    );
    let elsewhere = Finding {
        netns: Some(NETNS + 1),
        ..server(Stage::Opened, |_| {})
    };
    for process in [ProcessId::KERNEL, ProcessId::OTHER] {
        let finding = Finding {
            process,
            ..elsewhere.clone()
        };
        let command = Advice::of(&finding, Some(NETNS)).command.unwrap();
        assert_eq!(command.enter, None, "there is no such process to enter");
    }
    let own_unknown = Advice::of(&elsewhere, None).command.unwrap();
    assert_eq!(own_unknown.enter, None);
}

#[test]
fn a_long_command_is_broken_where_the_shell_lets_it_be() {
    let far = Finding {
        netns: Some(1),
        ..finding(
            Stage::Opened,
            Direction::Outbound,
            comm(b"controller"),
            peer("2001:db8:1111:2222:3333:4444:5555:6666"),
        )
    };
    let text = shown(&far);
    assert!(
        text.contains(
            "  list:\n    nsenter -t 4711 -n \\\n    ss -tnp 'dst [2001:db8:1111:2222:3333:4444:5555:6666] and dport = 9090'\n"
        ),
        "{text}"
    );
    assert!(
        text.lines().all(|line| wrap::width(line) <= wrap::WIDTH),
        "{text}"
    );
}

#[test]
fn a_command_of_one_long_line_is_broken_between_words() {
    let listed = |class| {
        let finding = growing(
            Stage::Opened,
            Direction::Outbound,
            comm(b"controller"),
            peer("2001:db8:1111:2222:3333:4444:5555:6666"),
            |leak| leak.class = class,
        );
        let text = shown(&finding);
        let (_, rest) = text.split_once("  list:\n").unwrap();
        rest.split_once("  else?").unwrap().0.to_owned()
    };
    assert_eq!(
        listed(Class::CloseMissing),
        "    ss -tnp state close-wait \\\n    'dst [2001:db8:1111:2222:3333:4444:5555:6666] and dport = 9090'\n"
    );
    assert_eq!(
        listed(Class::ErrorsIgnored),
        "    tracer list --all --peer 2001:db8:1111:2222:3333:4444:5555:6666 --port \\\n    9090\n"
    );
}

#[test]
fn a_stall_as_json_says_everything() {
    let finding = server(Stage::Opened, |_| {});
    let body = json::finding(&finding, &worth(confidence(0, &[])));
    let line = json::line(wall(), NOW, body);
    let expected = serde_json::json!({
        "v": 1,
        "time": "2026-03-01T14:03:09.250Z",
        "type": "stall",
        "id": "stall-1",
        "status": "opened",
        "process": {"pid": 4712, "start_ns": "6000000000", "comm": "grpc-server"},
        "holders": 1,
        "holders_at_limit": 1,
        "at_limit": true,
        "descriptors": {"used": 64, "sockets": 58, "limit": 64},
        "held": [
            {"direction": "inbound", "peer": "10.0.0.9", "service_port": 9090, "open": 56},
            {"direction": "outbound", "peer": "fd00::5", "service_port": 5432, "open": 1},
        ],
        "listener": 77,
        "local": "0.0.0.0:9090",
        "netns": NETNS,
        "queued": 12,
        "peak": 12,
        "queue_limit": 128,
        "queue_full": false,
        "oldest_wait_seconds": 14.0,
        "stuck_seconds": 5.0,
        "examined": 12,
        "given_up": 3,
        "peers": [{"peer": "10.0.0.9", "waiting": 9}, {"peer": "10.0.0.8", "waiting": 3}],
        "elsewhere": 0,
        "since": "2026-03-01T14:02:55.250Z",
        "confidence": {
            "attached_since": "2026-03-01T13:03:09.250Z",
            "lost": 0,
            "lost_unhealed": 0,
            "older": 0,
            "degraded": [],
        },
        "meaning": "clients see connect succeed and then time out: this process has no descriptor left, so accept fails \
                    (EMFILE)",
        "advice": "find what grpc-server opens and does not close, most often connections; a higher limit (prlimit --pid \
                   4712 --nofile=NUMBER) only buys time; list them: ss -ltnp 'sport = :9090'",
    });
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
}

#[test]
fn what_is_unknown_or_does_not_apply_is_absent() {
    let finding = server(Stage::Resolved(Resolution::ListenerGone), |stalled| {
        stalled.descriptors = None;
        stalled.queue = Queue::default();
        stalled.stuck_for = Duration::ZERO;
    });
    let body = json::finding(&finding, &worth(confidence(0, &[])));
    let value: Value = serde_json::from_str(&json::line(wall(), NOW, body)).unwrap();
    assert_eq!(
        (&value["status"], &value["resolution"]),
        (&"resolved".into(), &"listener_gone".into())
    );
    assert_eq!(
        (&value["queued"], &value["oldest_wait_seconds"]),
        (&0.into(), &0.0.into())
    );
    assert!(!value.as_object().unwrap().contains_key("descriptors"));
}

#[test]
fn a_hostile_name_neither_harms_a_terminal_nor_gets_into_a_command() {
    for name in HOSTILE {
        let finding = stalled(Stage::Opened, comm(name), |_| {});
        let text = shown(&finding);
        assert!(
            text.chars()
                .all(|character| character == '\n' || is_harmless(character)),
            "{text:?}"
        );
        let command = Advice::of(&finding, None).command.unwrap();
        assert_eq!(command.to_string(), "ss -ltnp 'sport = :9090'");
        let limit = "\n  limit:  64 of 64 descriptors in use, 58 of them TCP sockets\n";
        assert!(text.contains(limit), "{text}");
    }
}
