use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    HOSTILE, NETNS, NOW, any_finding, comm, confidence, is_harmless,
    leaks::{self, CLASSES, exhausted, inbound, key, leak, process, told},
    peer, plain, wall, worth,
};
use crate::{
    leak::{
        evidence::{Basis, Class, Forecast, Interval, Leak, News, Resource, Scope, Severity, Tier},
        finding::{Finding, Kind, Stage},
    },
    model::{
        budget::{PortUse, Standing},
        connection::{Direction, Peer, ProcessId},
    },
    output::{advice::Advice, circumstances::Circumstances, json as lines, span, text},
};

fn new(leak: Leak) -> Finding {
    told(Stage::Opened, b"controller", 4711, leak)
}

fn shown(finding: &Finding) -> String {
    plain(&text::finding(finding, &worth(confidence(0, &[]))))
}

fn headline(finding: &Finding) -> String {
    shown(finding).lines().next().unwrap().to_owned()
}

fn value(finding: &Finding) -> Value {
    let body = lines::finding(finding, &worth(confidence(0, &[])));
    serde_json::from_str(&lines::line(wall(), NOW, body)).unwrap()
}

/// The text as one line.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_headline_says_how_sure_and_how_urgent() {
    let title = |stage, tier, severity, class, news: &[News]| {
        let leak = leak(|leak| {
            (leak.tier, leak.severity, leak.class) = (tier, severity, class);
            leak.news = news.to_vec();
        });
        let headline = headline(&told(stage, b"controller", 4711, leak));
        let (title, _) = headline.split_once(" leak-1: ").unwrap();
        title.strip_prefix("14:03:09Z ").unwrap().to_owned()
    };
    let (opened, updated) = (Stage::Opened, Stage::Updated);
    let (suspected, confirmed) = (Tier::Suspected, Tier::Confirmed);
    let (warning, critical) = (Severity::Warning, Severity::Critical);
    let kept = Class::Kept;
    assert_eq!(title(opened, suspected, warning, kept, &[]), "LEAK SUSPECTED");
    assert_eq!(
        title(opened, confirmed, critical, kept, &[]),
        "CRITICAL LEAK CONFIRMED"
    );
    let hole = Class::BlackHole;
    assert_eq!(
        title(opened, suspected, warning, hole, &[]),
        "BLACK HOLE SUSPECTED"
    );
    let doubled = [News::Doubled];
    assert_eq!(
        title(updated, suspected, warning, kept, &doubled),
        "SUSPECTED LEAK GOES ON"
    );
    let surer = [News::Doubled, News::Confirmed];
    assert_eq!(
        title(updated, confirmed, warning, kept, &surer),
        "LEAK NOW CONFIRMED"
    );
    let graver = [News::Critical];
    assert_eq!(
        title(updated, confirmed, critical, kept, &graver),
        "CRITICAL CONFIRMED LEAK GOES ON"
    );
}

#[test]
fn the_headline_names_both_ends_of_every_scope() {
    let subject = |scope: Scope| {
        let leak = leak(|leak| leak.scope = scope);
        let headline = headline(&new(leak));
        headline.split_once(" leak-1: ").unwrap().1.to_owned()
    };
    let many = |direction| Scope::Process {
        direction,
        peers: 500,
        most: Vec::new(),
    };
    let one = |direction, processes, ports| Scope::Peer {
        direction,
        peer: peer("fd00::9"),
        processes,
        ports,
        most: Vec::new(),
    };
    let (outbound, inbound) = (Direction::Outbound, Direction::Inbound);
    for (scope, expected) in [
        (
            Scope::Group(key(outbound, "fd00::7", 9090)),
            "controller[4711] -> [fd00::7]:9090",
        ),
        (
            Scope::Group(key(inbound, "10.0.0.9", 9090)),
            "controller[4711]:9090 <- 10.0.0.9",
        ),
        (many(outbound), "controller[4711] -> 500 peers"),
        (many(inbound), "controller[4711] <- 500 peers"),
        (one(outbound, 8, 3), "8 processes -> fd00::9, 3 ports"),
        (one(outbound, 8, 1), "8 processes -> [fd00::9]:9090"),
        (one(outbound, 1, 3), "controller[4711] -> fd00::9, 3 ports"),
        (one(inbound, 8, 3), "8 processes, 3 ports <- fd00::9"),
        // The sample's own port.
        (one(inbound, 1, 1), "controller[4711], port 40112 <- fd00::9"),
    ] {
        assert_eq!(subject(scope), expected);
    }
}

#[test]
fn a_forecast_says_when_and_between_when_and_when() {
    let limit = |change: fn(&mut Forecast)| {
        let leak = leak(|leak| leak.forecast.iter_mut().for_each(change));
        let text = joined(&shown(&new(leak)));
        let (_, rest) = text.split_once("limit: ").unwrap();
        rest.split_once(" kept: ").unwrap().0.to_owned()
    };
    assert_eq!(
        limit(|_| {}),
        "reaches 1024 descriptors in about 1h 52m (1h 39m to 2h 7m), 350 in use"
    );
    assert_eq!(
        limit(|forecast| {
            (forecast.latest, forecast.uneven, forecast.resource) = (None, true, Resource::Ports);
        }),
        "reaches 1024 local ports to this destination in about 1h 52m (1h 39m at the earliest), 350 in use; it \
         grows unevenly, so that is an order of magnitude"
    );
    assert_eq!(
        limit(|forecast| {
            (forecast.earliest, forecast.latest) = (forecast.expected, Some(forecast.expected));
        }),
        "reaches 1024 descriptors in about 1h 52m, 350 in use"
    );
    assert_eq!(
        limit(|forecast| (forecast.expected, forecast.used) = (Duration::ZERO, 1025)),
        "1025 of 1024 descriptors, none left"
    );
}

#[test]
fn the_limit_that_a_forecast_is_not_about_is_told_beside_it() {
    let told = |resource: Option<Resource>| {
        let leak = leak(|leak| {
            leak.forecast =
                resource.and_then(|resource| leak.forecast.map(|forecast| Forecast { resource, ..forecast }));
        });
        let circumstances = Circumstances {
            standing: Some(Standing {
                used: 350,
                sockets: 340,
                limit: Some(1024),
                lasts: None,
            }),
            ports: Some(PortUse::new(339, 28_232, 6, 0)),
            ..worth(confidence(0, &[]))
        };
        joined(&plain(&text::finding(&new(leak), &circumstances)))
    };
    let (descriptors, ports) = ("; 350 of 1024 descriptors", "; 339 of 28232 local ports");
    let text = told(Some(Resource::Descriptors));
    assert!(text.contains(ports) && !text.contains(descriptors), "{text}");
    let text = told(Some(Resource::Ports));
    assert!(text.contains(descriptors) && !text.contains(ports), "{text}");
    let text = told(None);
    assert!(
        text.contains("limit: 350 of 1024 descriptors; 339 of 28232 local ports"),
        "{text}"
    );
}

#[test]
fn what_is_no_growth_or_no_number_is_not_told_as_a_rate() {
    let of = |low, mid, high| span::interval(Interval { low, mid, high });
    assert_eq!(of(316.4, 360.0, 406.2).unwrap(), "360 per hour (316 to 406)");
    assert_eq!(of(-3.0, 0.4, 0.9).unwrap(), "9.6 per day (0.0 to 22)");
    assert_eq!(of(72_000.0, 72_000.0, 72_000.0).unwrap(), "20 per second");
    for (low, mid, high) in [
        (0.0, 0.0, 1.0),
        (0.0, -1.0, 1.0),
        (0.0, 0.001, 1.0),
        (2.0, 1.0, 3.0),
        (0.0, 1.0, -1.0),
        (f64::NAN, 1.0, 2.0),
        (0.0, f64::NAN, 2.0),
        (0.0, 1.0, f64::INFINITY),
        (0.0, 1.0, f64::MAX),
    ] {
        assert_eq!(of(low, mid, high), None, "{low} {mid} {high}");
    }
    let leak = leak(|leak| {
        leak.evidence.per_hour = Some(Interval {
            low: 0.0,
            mid: f64::NAN,
            high: 1.0,
        });
    });
    let finding = new(leak);
    assert!(!shown(&finding).contains("growing by"));
    assert!(value(&finding)["growth_per_hour"].is_null());
}

#[test]
fn every_class_has_a_meaning_a_next_step_and_a_command_of_its_own() {
    let mut texts = Vec::new();
    for class in CLASSES {
        for leak in [
            leak(|leak| leak.class = class),
            inbound(|leak| leak.class = class),
        ] {
            let Advice {
                meaning,
                next,
                command,
            } = Advice::of(&new(leak), None);
            assert!(
                next.contains("controller") || next.contains("10.0.0.9"),
                "{class:?}: {next}"
            );
            texts.push((meaning, next, command.unwrap().to_string()));
        }
    }
    let commands: Vec<&str> = texts.iter().map(|(_, _, command)| command.as_str()).collect();
    let usual = [
        "ss -tnp 'dst 10.0.0.7 and dport = 9090'",
        "ss -tnp 'dst 10.0.0.9 and sport = 9090'",
    ];
    let close_wait = [
        "ss -tnp state close-wait 'dst 10.0.0.7 and dport = 9090'",
        "ss -tnp state close-wait 'dst 10.0.0.9 and sport = 9090'",
    ];
    let dead = [
        "tracer list --all --peer 10.0.0.7 --port 9090",
        "tracer list --all --peer 10.0.0.9 --port 9090",
    ];
    let queue = [usual[0], "ss -ltnp 'sport = :9090'"];
    let attempts = [
        "ss -tnp state syn-sent 'dst 10.0.0.7 and dport = 9090'",
        "ss -tnp state syn-sent 'dst 10.0.0.9 and sport = 9090'",
    ];
    assert_eq!(
        commands,
        [close_wait, usual, usual, dead, queue, attempts, usual].concat()
    );
    for (index, class) in CLASSES.iter().enumerate() {
        let (meaning, ..) = &texts[2 * index];
        let same = texts.iter().filter(|(other, ..)| other == meaning).count();
        assert!(same <= 2, "{class:?} has no words of its own: {meaning}");
    }
}

#[test]
fn commands_fit_the_scope() {
    let command = |process, leak| {
        let finding = Finding {
            process,
            netns: Some(NETNS + 1),
            ..new(leak)
        };
        Advice::of(&finding, Some(NETNS))
            .command
            .map(|command| command.to_string())
    };
    let many = || {
        leak(|leak| {
            leak.scope = Scope::Process {
                direction: Direction::Inbound,
                peers: 9,
                most: Vec::new(),
            };
        })
    };
    let listed = Some("tracer list --pid 4711 --direction inbound".to_owned());
    assert_eq!(command(process(4711), many()), listed);
    assert_eq!(command(ProcessId::OTHER, many()), None);
    let one = |ports| {
        leak(|leak| {
            leak.scope = Scope::Peer {
                direction: Direction::Outbound,
                peer: peer("fd00::9"),
                processes: 2,
                ports,
                most: Vec::new(),
            };
        })
    };
    let entering = "nsenter -t 4711 -n";
    let wanted = |filter: &str| Some(format!("{entering} ss -tnp '{filter}'"));
    assert_eq!(command(process(4711), one(3)), wanted("dst [fd00::9]"));
    assert_eq!(
        command(process(4711), one(1)),
        wanted("dst [fd00::9] and dport = 9090")
    );
    let nobody = leak(|leak| {
        let group = key(Direction::Outbound, "::", 0);
        leak.scope = Scope::Group(crate::model::connection::PeerKey {
            peer: Peer::Other,
            ..group
        });
    });
    assert_eq!(command(process(4711), nobody), None);
}

#[test]
fn an_update_is_short_and_repeats_what_to_do_only_if_it_is_graver() {
    let told = |news: &[News]| {
        let leak = leak(|leak| leak.news = news.to_vec());
        shown(&told(Stage::Updated, b"controller", 4711, leak))
    };
    let doubled = told(&[News::Doubled]);
    assert_eq!(
        doubled,
        "\
14:03:09Z CONFIRMED LEAK GOES ON leak-1: controller[4711] -> 10.0.0.7:9090
  339 open now, twice as many as when last told, growing by 360 per hour (316 to
  406); it began 13:07:09Z, 56m ago
  limit:  reaches 1024 descriptors in about 1h 52m (1h 39m to 2h 7m), 350 in use
"
    );
    let critical = told(&[News::Critical]);
    assert!(
        critical.contains("\n  next:   ") && critical.contains("\n  else?   "),
        "{critical}"
    );
    assert!(
        !critical.contains("kept:") && !critical.contains("sample:"),
        "{critical}"
    );
}

#[test]
fn an_alert_says_everything() {
    let finding = new(leak(|_| {}));
    let sample = |local: &str, seconds: f64| {
        json!({
            "pid": 4711, "local": local, "peer": "10.0.0.7:9090", "age_seconds": seconds, "at_least": false,
            "phase": "open", "silent_seconds": seconds,
        })
    };
    let expected = json!({
        "v": 1,
        "time": "2026-03-01T14:03:09.250Z",
        "type": "alert",
        "id": "leak-1",
        "status": "opened",
        "tier": "confirmed",
        "severity": "warning",
        "class": "abandoned",
        "scope": "group",
        "direction": "outbound",
        "peer": "10.0.0.7",
        "service_port": 9090,
        "process": {"pid": 4711, "start_ns": "5000000000", "comm": "controller"},
        "netns": NETNS,
        "open": 339,
        "peak": 339,
        "phases": {"open": 339, "half_closed_remote": 0, "half_closed_local": 0, "dead_held": 0},
        "lives": 1,
        "since": "2026-03-01T13:07:09.250Z",
        "basis": "survivors",
        "span_seconds": 3360.0,
        "opened": 336,
        "closed": 0,
        "closed_ever": 0,
        "known_seconds": 3420.0,
        "survivors": {"period_seconds": 420.0, "open": [42, 42, 40, 43, 42, 42], "matured": 251, "left": 0},
        "growth_per_hour": {"low": 316.4, "mid": 360.0, "high": 406.2},
        "cadence": {"burst": 3, "every_seconds": 30.0, "bursts": 112},
        "silence": {"silent": 248, "of": 251, "span_seconds": 840.0},
        "open_age": {"oldest": 3420.0, "median": 1680.0, "p90": 3060.0, "at_least": false},
        "forecast": {
            "resource": "descriptors", "used": 350, "limit": 1024, "expected_seconds": 6740.0,
            "earliest_seconds": 5973.0, "latest_seconds": 7668.0, "uneven": false,
        },
        "samples": [sample("10.0.0.1:40112", 3420.0), sample("10.0.0.1:40114", 3360.0)],
        "explanations": [
            {"healthy": "warm_up", "ruled_out": {"why": "still_growing", "after_seconds": 3360.0}},
            {"healthy": "pool", "ruled_out": {"why": "unused"}},
            {"healthy": "diurnal", "ruled_out": {"why": "too_fast"}},
        ],
        "confidence": {
            "attached_since": "2026-03-01T13:03:09.250Z",
            "lost": 0,
            "lost_unhealed": 0,
            "older": 0,
            "degraded": [],
        },
        "meaning": "this process opens connections, leaves them unused and does not close them",
        "advice": "look in controller for a client or channel to 10.0.0.7 port 9090 that is made again and again and \
                   never closed; list them: ss -tnp 'dst 10.0.0.7 and dport = 9090'",
    });
    assert_eq!(value(&finding), expected);
}

#[test]
fn a_roll_up_names_its_members() {
    let of = |scope: Scope| value(&new(leak(|leak| leak.scope = scope)));
    let many = of(Scope::Process {
        direction: Direction::Outbound,
        peers: 500,
        most: vec![(key(Direction::Outbound, "10.0.3.4", 80), 2)],
    });
    assert_eq!((&many["scope"], &many["peers"]), (&json!("process"), &json!(500)));
    assert_eq!(
        many["most"],
        json!([{"direction": "outbound", "peer": "10.0.3.4", "service_port": 80, "open": 2}])
    );
    let one = of(Scope::Peer {
        direction: Direction::Inbound,
        peer: peer("10.0.0.9"),
        processes: 8,
        ports: 1,
        most: vec![(process(4713), comm(b"worker"), 44)],
    });
    assert_eq!(
        (
            &one["scope"],
            &one["peer"],
            &one["service_ports"],
            &one["processes"]
        ),
        (&json!("peer"), &json!("10.0.0.9"), &json!(1), &json!(8))
    );
    assert_eq!(
        one["most"],
        json!([{"process": {"pid": 4713, "start_ns": "5000000000", "comm": "worker"}, "open": 44}])
    );
    assert!(many["service_port"].is_null() && one["service_port"].is_null());
}

#[test]
fn a_limit_says_everything() {
    let value = value(&exhausted(Stage::Opened, |_| {}));
    let expected = json!({
        "v": 1,
        "time": "2026-03-01T14:03:09.250Z",
        "type": "limit",
        "id": "limit-1",
        "status": "opened",
        "process": {"pid": 4712, "start_ns": "5000000000", "comm": "grpc-server"},
        "descriptors": {"used": 840, "sockets": 812, "limit": 1024, "lasts_seconds": 720.0},
        "peak": 841,
        "held": [
            {"direction": "inbound", "peer": "10.0.0.9", "service_port": 9090, "open": 756},
            {"direction": "outbound", "peer": "fd00::5", "service_port": 5432, "open": 40},
        ],
        "since": "2026-03-01T14:00:09.250Z",
        "confidence": {
            "attached_since": "2026-03-01T13:03:09.250Z",
            "lost": 0,
            "lost_unhealed": 0,
            "older": 0,
            "degraded": [],
        },
        "meaning": "at the limit this process can accept, connect and open nothing more (EMFILE)",
        "advice": "find what grpc-server opens and does not close; a higher limit (prlimit --pid 4712 --nofile=NUMBER) \
                   only buys time; list them: tracer list --pid 4712",
    });
    assert_eq!(value, expected);
}

#[test]
fn what_fills_a_table_may_be_no_sockets() {
    let finding = exhausted(Stage::Opened, |exhaustion| {
        (exhaustion.sockets, exhaustion.lasts) = (12, Some(Duration::ZERO));
        exhaustion.groups.clear();
    });
    assert_eq!(
        shown(&finding),
        "\
14:03:09Z NO DESCRIPTORS LEFT limit-1: grpc-server[4712]
  840 of 1024 descriptors in use, 12 of them TCP sockets, none left; it began
  14:00:09Z, 3m ago
  means:  now this process can accept, connect and open nothing more (EMFILE)
  next:   find what grpc-server opens and does not close: most are no TCP
          sockets; a higher limit (prlimit --pid 4712 --nofile=NUMBER) only buys
          time
  list:   ls -l /proc/4712/fd
  sure?   counted in the descriptor table of the process
"
    );
}

#[test]
fn a_hostile_name_neither_harms_a_terminal_nor_gets_into_a_command() {
    for name in HOSTILE {
        let scope = Scope::Peer {
            direction: Direction::Inbound,
            peer: peer("10.0.0.9"),
            processes: 1,
            ports: 1,
            most: vec![(process(1), comm(name), 3)],
        };
        let finding = told(Stage::Opened, name, 4711, leak(|leak| leak.scope = scope));
        let text = shown(&finding);
        let is_shown = |character| character == '\n' || is_harmless(character);
        assert!(text.chars().all(is_shown), "{text:?}");
        let command = Advice::of(&finding, None).command.unwrap();
        assert_eq!(command.to_string(), "ss -tnp 'dst 10.0.0.9 and sport = 40112'");
    }
}

proptest! {
    #[test]
    fn no_command_holds_more_than_addresses_and_numbers(finding in any_finding()) {
        let command = Advice::of(&finding, Some(1)).command;
        let words = "nsenter ss tracer list ls proc fd tnp ltnp all peer port pid direction outbound inbound dst dport sport and \
                     state close wait syn sent n t l";
        let known: Vec<&str> = words.split_whitespace().collect();
        for word in command.iter().flat_map(|command| {
            let command = command.to_string();
            command.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect::<Vec<_>>()
        }) {
            let is_number = word.chars().all(|c| c.is_ascii_hexdigit());
            prop_assert!(is_number || known.contains(&word.as_str()), "{word} in {command:?}");
        }
    }

    #[test]
    fn no_leak_is_told_at_length(leak in leaks::any_leak()) {
        let finding = Finding { kind: Kind::Leak(Box::new(leak)), ..new(leaks::leak(|_| {})) };
        let text = shown(&finding);
        prop_assert!(text.lines().count() <= 60, "{text}");
        for no_number in ["NaN", "inf"] {
            prop_assert!(!text.contains(no_number), "{text}");
        }
    }
}

#[test]
fn a_silence_of_no_time_is_none() {
    let finding = new(leak(|leak| {
        leak.evidence
            .silence
            .iter_mut()
            .for_each(|silence| silence.span = Duration::ZERO);
    }));
    assert!(!shown(&finding).contains("  idle:"));
    assert!(value(&finding)["silence"].is_null());
}

#[test]
fn a_basis_without_periods_shows_none() {
    for basis in [Basis::Surge, Basis::Accumulated, Basis::Unanswered] {
        let finding = new(leak(|leak| {
            leak.basis = basis;
            leak.evidence.survivors.clear();
            leak.evidence.per_hour = None;
        }));
        let (text, value) = (shown(&finding), value(&finding));
        assert!(!text.contains("kept:") && !text.contains("growing by"), "{text}");
        assert!(value["survivors"].is_null(), "{value}");
    }
    let began = leak(|leak| leak.basis = Basis::Accumulated);
    assert!(joined(&shown(&new(began))).contains("336 were there when the tracer came"));
    let again = leak(|leak| (leak.basis, leak.lives) = (Basis::Restarts, 4));
    assert!(joined(&shown(&new(again))).contains("in 4 lives of the program, one after the other"));
}
