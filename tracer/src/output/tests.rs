//! What is printed, literally, and what may never be printed.

mod code;
mod findings;
mod json;
mod leak;
mod leaks;
mod list;
mod number;
mod sanitize;
mod span;
mod stall;
mod table;
mod text;
mod wrap;

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use leaks::{any_exhaustion, any_leak, any_process, leak, told};
use proptest::{collection::vec, prelude::*};

use super::{circumstances::Circumstances, json::Wall, record::Confidence};
use crate::{
    leak::{
        evidence::{Leak, Scope},
        finding::{Finding, FindingId, Kind, Queue, Resolution, Rule, Stage, Stalled},
    },
    model::{
        connection::{Direction, Peer, PeerKey, Phases, ProcessId},
        name::Comm,
        snapshot::{Descriptors, ListenerId},
        time::Time,
    },
};

/// 2026-03-01, 14:03:09.250 UTC, two hours after boot.
const NOW: Time = Time(7_200_000_000_000);

fn wall() -> Wall {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_772_373_789_250);
    Wall::new(NOW, now)
}

fn confidence(lost: u64, degraded: &[&str]) -> Confidence {
    Confidence {
        attached_since: wall().rfc3339(NOW.earlier(Duration::from_hours(1))),
        lost,
        lost_unhealed: lost,
        older: 0,
        reconciled: None,
        corrected: None,
        degraded: degraded.iter().map(|&what| what.to_owned()).collect(),
    }
}

/// Nothing is known but what the finding is worth.
fn worth(confidence: Confidence) -> Circumstances<'static> {
    Circumstances {
        confidence,
        info: None,
        standing: None,
        ports: None,
        openers: Vec::new(),
        other_ends: Vec::new(),
        code: None,
        full_stacks: false,
        own_netns: Some(NETNS),
        wall: wall(),
        now: NOW,
    }
}

fn peer(address: &str) -> Peer {
    Peer::Address(address.parse::<IpAddr>().unwrap())
}

/// The network namespace of these tests.
const NETNS: u32 = 4_026_531_840;

/// The founding incident after an hour, with other ends.
fn finding(stage: Stage, direction: Direction, comm: Comm, peer: Peer) -> Finding {
    growing(stage, direction, comm, peer, |_| {})
}

/// The same, changed.
fn growing(
    stage: Stage,
    direction: Direction,
    comm: Comm,
    peer: Peer,
    change: impl FnOnce(&mut Leak),
) -> Finding {
    let leak = leak(|leak| {
        leak.scope = Scope::Group(PeerKey {
            direction,
            peer,
            service_port: 9090,
        });
        change(leak);
    });
    Finding {
        comm,
        ..told(stage, b"", 4711, leak)
    }
}

/// The server of the founding incident, some minutes later.
fn stalled(stage: Stage, comm: Comm, change: impl FnOnce(&mut Stalled)) -> Finding {
    let process = ProcessId {
        pid: 4712,
        start: Time(6_000_000_000),
    };
    let from = |peer: &str| peer.parse::<IpAddr>().unwrap();
    let key = |direction, address, service_port| PeerKey {
        direction,
        peer: peer(address),
        service_port,
    };
    let mut stalled = Stalled {
        listener: ListenerId(77),
        local: "0.0.0.0:9090".parse().unwrap(),
        holders: 1,
        holders_at_limit: 1,
        at_limit: true,
        descriptors: Some(Descriptors {
            process,
            comm,
            used: 64,
            sockets: 58,
            limit: Some(64),
            at: NOW,
        }),
        held: vec![
            (key(Direction::Inbound, "10.0.0.9", 9090), 56),
            (key(Direction::Outbound, "fd00::5", 5432), 1),
        ],
        queue: Queue {
            length: 12,
            limit: Some(128),
            waited: Duration::from_secs(14),
            examined: 12,
            given_up: 3,
            peers: vec![(from("10.0.0.9"), 9), (from("10.0.0.8"), 3)],
            elsewhere: 0,
        },
        peak: 12,
        stuck_for: Duration::from_secs(5),
        since: NOW.earlier(Duration::from_secs(14)),
    };
    change(&mut stalled);
    Finding {
        id: FindingId {
            rule: Rule::Stall,
            number: 1,
        },
        stage,
        process,
        comm,
        netns: Some(NETNS),
        kind: Kind::Stalled(stalled),
    }
}

/// What a terminal without colours shows.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Names that somebody might choose to hide, to overwrite or to reorder what stands on the screen.
const HOSTILE: [&[u8]; 16] = [
    b"\x1b[2J\x1b[Hgone",
    b"\x1b]0;title\x07",
    b"two\nlines",
    b"back\rover",
    b"tab\tbell\x07",
    b"del\x7f\x08",
    b"quo\"te'\\",
    b"\xff\xfe\xc3",
    b"\xc2\x9b31mc1csi",
    "\u{202e}gnp.exe".as_bytes(),
    "\u{2066}iso\u{2069}".as_bytes(),
    "a\u{200b}b\u{200d}c".as_bytes(),
    "\u{feff}bom".as_bytes(),
    "\u{2028}\u{2029}".as_bytes(),
    "\u{e0041}tag".as_bytes(),
    b"",
];

fn comm(bytes: &[u8]) -> Comm {
    let mut padded = [0; tracer_common::event::COMM_LEN];
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    Comm::new(padded)
}

/// Whether a terminal shows this character as itself, at its place. Says it by Unicode ranges of its own, so that a
/// range that is missing in the code is not missing here.
fn is_harmless(character: char) -> bool {
    !matches!(u32::from(character),
        0..=0x1f | 0x7f..=0x9f // C0, DEL, C1
        | 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xe0000..=0xe0fff)
}

fn any_comm() -> impl Strategy<Value = Comm> {
    prop_oneof![
        any::<[u8; tracer_common::event::COMM_LEN]>().prop_map(Comm::new),
        // Random bytes are hardly ever UTF-8; text of unusual characters is what hides things.
        "\\PC{0,5}".prop_map(|text| comm(text.as_bytes())),
        vec(any::<char>(), 0..5).prop_map(|text| comm(text.iter().collect::<String>().as_bytes())),
        proptest::sample::select(&HOSTILE[..]).prop_map(comm),
    ]
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let stage = prop_oneof![
        Just(Stage::Opened),
        Just(Stage::Updated),
        Just(Stage::Resolved(Resolution::Drained)),
        Just(Stage::Resolved(Resolution::AcceptingAgain)),
        Just(Stage::Resolved(Resolution::ListenerGone)),
        Just(Stage::Resolved(Resolution::ProcessExited)),
        Just(Stage::Resolved(Resolution::ClosedByPeer)),
        Just(Stage::Resolved(Resolution::Balanced)),
        Just(Stage::Resolved(Resolution::Plateaued)),
        Just(Stage::Resolved(Resolution::Relieved)),
    ];
    let kind = prop_oneof![
        any_stalled().prop_map(|stalled| (Rule::Stall, Kind::Stalled(stalled))),
        any_leak().prop_map(|leak| (Rule::Growth, Kind::Leak(Box::new(leak)))),
        any_exhaustion().prop_map(|exhaustion| (Rule::Limit, Kind::Exhaustion(exhaustion))),
    ];
    (
        stage,
        any_process(),
        any_comm(),
        any::<u64>(),
        any::<Option<u32>>(),
        kind,
    )
        .prop_map(|(stage, process, comm, number, netns, (rule, kind))| Finding {
            id: FindingId { rule, number },
            stage,
            process,
            comm,
            netns,
            kind,
        })
}

fn any_group() -> impl Strategy<Value = PeerKey> {
    let direction = prop_oneof![Just(Direction::Outbound), Just(Direction::Inbound)];
    let peer = prop_oneof![any::<IpAddr>().prop_map(Peer::Address), Just(Peer::Other)];
    (direction, peer, any::<u16>()).prop_map(|(direction, peer, service_port)| PeerKey {
        direction,
        peer,
        service_port,
    })
}

fn any_stalled() -> impl Strategy<Value = Stalled> {
    let descriptors = any::<Option<(u32, u32, Option<u64>)>>().prop_map(|table| {
        table.map(|(used, sockets, limit)| Descriptors {
            process: ProcessId::OTHER,
            comm: Comm::default(),
            used,
            sockets,
            limit,
            at: Time(0),
        })
    });
    let held = vec((any_group(), any::<u32>()), 0..=Stalled::GROUPS);
    let peers = vec((any::<IpAddr>(), any::<u32>()), 0..=Queue::PEERS);
    (
        any::<SocketAddr>(),
        (descriptors, held, peers),
        any::<(u32, u32, bool)>(),
        any::<(u32, Option<u32>, Duration, u32, u32, u32)>(),
        any::<(u64, u32, Duration, u64)>(),
    )
        .prop_map(|(local, (descriptors, held, peers), holders, queue, rest)| {
            let (length, limit, waited, examined, given_up, elsewhere) = queue;
            Stalled {
                listener: ListenerId(rest.0),
                local,
                holders: holders.0,
                holders_at_limit: holders.1,
                at_limit: holders.2,
                descriptors,
                held,
                queue: Queue {
                    length,
                    limit,
                    waited,
                    examined,
                    given_up,
                    peers,
                    elsewhere,
                },
                peak: rest.1,
                stuck_for: rest.2,
                since: Time(rest.3),
            }
        })
}

/// Some of each.
fn phases(some: u32, more: u32) -> Phases {
    Phases {
        open: some,
        half_closed_remote: more,
        half_closed_local: some / 2,
        dead_held: more / 3,
    }
}
