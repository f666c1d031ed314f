//! The examples of `docs/findings.md`: each stands there as it is printed.

use super::{
    comm, confidence,
    leaks::{exhausted, inbound, key, leak, minutes, possible, process, ruled_out, told},
    peer, plain, worth,
};
use crate::{
    leak::{
        evidence::{
            Basis, Class, Exhaustion, Forecast, Healthy, Leak, News, Resource, RuledOut, Scope, Severity,
            Tier,
        },
        finding::{Finding, Resolution, Stage},
    },
    model::connection::{Direction, Phase, Phases},
    output::{circumstances::Circumstances, text, wrap},
};

const DOCUMENT: &str = include_str!("../../../../docs/findings.md");

fn shown(finding: &Finding) -> String {
    plain(&text::finding(finding, &worth(confidence(0, &[]))))
}

/// With the code that opened what the finding is about.
const WITH_CODE: &str = "code";

fn example(name: &str, finding: &Finding) -> String {
    if name != WITH_CODE {
        return shown(finding);
    }
    let circumstances = Circumstances {
        code: Some(super::code::code()),
        ..worth(confidence(0, &[]))
    };
    plain(&text::finding(finding, &circumstances))
}

fn controller(leak: Leak) -> Finding {
    told(Stage::Opened, b"controller", 4711, leak)
}

fn server(leak: Leak) -> Finding {
    told(Stage::Opened, b"grpc-server", 4712, leak)
}

fn updated(finding: Finding) -> Finding {
    Finding {
        stage: Stage::Updated,
        ..finding
    }
}

fn resolved(resolution: Resolution, finding: Finding) -> Finding {
    Finding {
        stage: Stage::Resolved(resolution),
        ..finding
    }
}

/// Connections whose peer has gone.
fn close_missing() -> Leak {
    leak(|leak| {
        leak.class = Class::CloseMissing;
        leak.basis = Basis::PeerGone { period: minutes(7) };
        (leak.open, leak.peak) = (61, 61);
        leak.phases = Phases {
            half_closed_remote: 61,
            ..Phases::default()
        };
        leak.evidence.survivors = vec![9, 8, 10, 8, 9, 9];
        (leak.evidence.opened, leak.evidence.closed) = (4310, 4249);
        (leak.evidence.matured, leak.evidence.closed_ever) = (53, 4260);
        leak.evidence.silence = None;
        leak.evidence.cadence = None;
        leak.evidence.per_hour = leak.evidence.per_hour.map(|mut rate| {
            (rate.low, rate.mid, rate.high) = (58.1, 75.7, 93.9);
            rate
        });
        leak.forecast = None;
        leak.evidence.explanations = [Healthy::WarmUp, Healthy::Pool, Healthy::Diurnal]
            .map(|healthy| ruled_out(healthy, RuledOut::Useless))
            .to_vec();
        for sample in &mut leak.samples {
            sample.phase = Phase::HalfClosedRemote;
        }
    })
}

/// What the healthy look like too.
fn suspected() -> Leak {
    leak(|leak| {
        leak.tier = Tier::Suspected;
        leak.class = Class::Kept;
        leak.evidence.silence = None;
        leak.evidence.cadence = None;
        leak.evidence.explanations = vec![
            ruled_out(Healthy::WarmUp, RuledOut::StillGrowing(minutes(56))),
            possible(Healthy::Pool),
            ruled_out(Healthy::Diurnal, RuledOut::TooFast),
        ];
        for sample in &mut leak.samples {
            sample.silent_for = None;
        }
    })
}

fn errors_ignored() -> Leak {
    inbound(|leak| {
        leak.class = Class::ErrorsIgnored;
        leak.basis = Basis::PeerGone { period: minutes(7) };
        leak.phases = Phases {
            dead_held: 339,
            ..Phases::default()
        };
        leak.evidence.cadence = None;
        for sample in &mut leak.samples {
            sample.phase = Phase::DeadHeld;
        }
        leak.evidence.explanations = [Healthy::WarmUp, Healthy::Pool, Healthy::Diurnal]
            .map(|healthy| ruled_out(healthy, RuledOut::Useless))
            .to_vec();
    })
}

fn not_accepted() -> Leak {
    inbound(|leak| {
        leak.class = Class::NotAccepted;
        leak.severity = Severity::Critical;
        leak.phases = Phases::default();
        leak.evidence.silence = None;
        leak.forecast = None;
        for sample in &mut leak.samples {
            sample.phase = Phase::Unaccepted { given_up: false };
            sample.silent_for = None;
        }
    })
}

fn black_hole() -> Leak {
    leak(|leak| {
        leak.class = Class::BlackHole;
        leak.basis = Basis::Unanswered;
        leak.tier = Tier::Suspected;
        (leak.open, leak.peak) = (44, 44);
        leak.phases = Phases::default();
        leak.evidence.survivors.clear();
        (leak.evidence.opened, leak.evidence.ages) = (44, None);
        leak.evidence.silence = None;
        leak.evidence.cadence = None;
        leak.evidence.per_hour = None;
        leak.evidence.explanations.clear();
        leak.forecast = None;
        for sample in &mut leak.samples {
            sample.phase = Phase::Connecting;
            sample.silent_for = None;
        }
    })
}

/// One connection to each of many backends.
fn many_peers() -> Leak {
    leak(|leak| {
        leak.scope = Scope::Process {
            direction: Direction::Outbound,
            peers: 500,
            most: vec![
                (key(Direction::Outbound, "10.0.3.4", 9090), 2),
                (key(Direction::Outbound, "10.0.0.7", 9090), 1),
            ],
        };
        leak.evidence.cadence = None;
    })
}

/// One client that leaks into each of eight workers.
fn many_processes() -> Leak {
    inbound(|leak| {
        leak.scope = Scope::Peer {
            direction: Direction::Inbound,
            peer: peer("10.0.0.9"),
            processes: 8,
            ports: 1,
            most: vec![
                (process(4711), comm(b"worker"), 44),
                (process(4713), comm(b"worker"), 43),
            ],
        };
        leak.forecast = None;
    })
}

fn accumulated() -> Leak {
    inbound(|leak| {
        leak.tier = Tier::Suspected;
        leak.severity = Severity::Critical;
        leak.basis = Basis::Accumulated;
        (leak.open, leak.peak) = (1012, 1012);
        (leak.evidence.since, leak.began) = (leak.evidence.until, leak.evidence.until);
        leak.evidence.opened = 1012;
        leak.evidence.survivors.clear();
        leak.evidence.per_hour = None;
        leak.evidence.cadence = None;
        leak.evidence.known_for = std::time::Duration::from_secs(4);
        leak.evidence.silence = leak.evidence.silence.map(|mut silence| {
            (silence.silent, silence.of) = (1009, 1012);
            silence
        });
        for age in leak
            .evidence
            .ages
            .iter_mut()
            .flat_map(|ages| [&mut ages.oldest, &mut ages.median])
        {
            age.at_least = true;
        }
        for sample in &mut leak.samples {
            sample.age.at_least = true;
        }
        leak.forecast = Some(Forecast {
            resource: Resource::Descriptors,
            used: 1024,
            limit: 1024,
            expected: std::time::Duration::ZERO,
            earliest: std::time::Duration::ZERO,
            latest: Some(std::time::Duration::ZERO),
            uneven: false,
        });
        leak.evidence.explanations = vec![
            possible(Healthy::WarmUp),
            ruled_out(Healthy::Pool, RuledOut::ShareOfLimit(98)),
            ruled_out(Healthy::Diurnal, RuledOut::Unused),
        ];
    })
}

fn with_basis(basis: Basis) -> Finding {
    controller(leak(|leak| {
        leak.basis = basis;
        leak.evidence.survivors.clear();
        leak.lives = if basis == Basis::Restarts { 4 } else { 1 };
    }))
}

/// What `--min-opened` finds.
fn strict() -> Finding {
    let mut leak = suspected();
    leak.basis = Basis::Row;
    leak.evidence.survivors.clear();
    controller(leak)
}

fn news(severity: Severity, tier: Tier, news: &[News]) -> Finding {
    updated(controller(leak(|leak| {
        (leak.severity, leak.tier) = (severity, tier);
        (leak.open, leak.peak) = (720, 720);
        leak.news = news.to_vec();
    })))
}

/// Every example, by the name it has in the document.
fn examples() -> Vec<(&'static str, Finding)> {
    let one = || controller(leak(|_| {}));
    let some_left = |open| {
        controller(leak(|leak| {
            (leak.open, leak.peak) = (open, 339);
        }))
    };
    let relieved = |exhaustion: &mut Exhaustion| (exhaustion.used, exhaustion.lasts) = (300, None);
    vec![
        (WITH_CODE, controller(leak(|_| {}))),
        ("abandoned", one()),
        ("abandoned_by_peer", server(inbound(|_| {}))),
        ("close_missing", controller(close_missing())),
        ("errors_ignored", server(errors_ignored())),
        ("not_accepted", server(not_accepted())),
        ("black_hole", controller(black_hole())),
        ("kept", controller(suspected())),
        ("many_peers", controller(many_peers())),
        (
            "many_processes",
            told(Stage::Opened, b"worker", 4711, many_processes()),
        ),
        ("accumulated", server(accumulated())),
        ("sawtooth", with_basis(Basis::Sawtooth { times: 4 })),
        ("surge", with_basis(Basis::Surge)),
        ("restarts", with_basis(Basis::Restarts)),
        ("row", strict()),
        (
            "update_confirmed",
            news(
                Severity::Warning,
                Tier::Confirmed,
                &[News::Confirmed, News::Doubled],
            ),
        ),
        (
            "update_doubled",
            news(Severity::Critical, Tier::Suspected, &[News::Doubled]),
        ),
        ("drained", resolved(Resolution::Drained, some_left(2))),
        (
            "process_exited",
            resolved(Resolution::ProcessExited, some_left(0)),
        ),
        (
            "closed_by_peer",
            resolved(Resolution::ClosedByPeer, some_left(12)),
        ),
        ("balanced", resolved(Resolution::Balanced, some_left(120))),
        ("plateaued", resolved(Resolution::Plateaued, some_left(120))),
        ("exhaustion", exhausted(Stage::Opened, |_| {})),
        (
            "relieved",
            exhausted(Stage::Resolved(Resolution::Relieved), relieved),
        ),
    ]
}

/// The text between the marks of an example in the document.
fn documented(name: &str) -> Option<&'static str> {
    let (_, rest) = DOCUMENT.split_once(&format!("<!-- example: {name} -->\n```\n"))?;
    rest.split_once("```\n").map(|(text, _)| text)
}

#[test]
fn the_document_shows_what_is_printed() {
    let examples = examples();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings.md");
        let mut document = std::fs::read_to_string(&path).unwrap();
        for (name, finding) in &examples {
            let mark = format!("<!-- example: {name} -->\n```\n");
            let (before, rest) = document.split_once(&mark).unwrap();
            let (_, after) = rest.split_once("```\n").unwrap();
            document = format!("{before}{mark}{}```\n{after}", example(name, finding));
        }
        std::fs::write(path, document).unwrap();
        return;
    }
    for (name, finding) in &examples {
        let expected = example(name, finding);
        let documented =
            documented(name).unwrap_or_else(|| panic!("docs/findings.md lacks the example {name}"));
        assert_eq!(
            documented, expected,
            "if the change of {name} is meant, run `UPDATE_SNAPSHOTS=1 cargo test -p tracer --lib findings`"
        );
    }
    let marks = DOCUMENT.matches("<!-- example: ").count();
    assert_eq!(
        marks,
        examples.len(),
        "an example of the document that nothing makes"
    );
}

#[test]
fn every_example_fits_a_terminal_and_what_is_over_takes_two_lines() {
    for (name, finding) in examples() {
        let text = shown(&finding);
        assert!(
            text.lines().all(|line| wrap::width(line) <= wrap::WIDTH),
            "{name}: {text}"
        );
        let most = match finding.stage {
            Stage::Resolved(_) => 2,
            Stage::Updated => 14,
            Stage::Opened => 32,
        };
        assert!(text.lines().count() <= most, "{name}: {text}");
    }
}
