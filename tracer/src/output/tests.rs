//! What is printed, literally, and what may never be printed.

mod json;
mod sanitize;
mod span;
mod table;
mod text;

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;

use super::{json::Wall, record::Confidence};
use crate::{
    leak::finding::{Evidence, Finding, FindingId, Resolution, Stage},
    model::{
        connection::{Direction, GroupKey, Peer, Phases, ProcessId},
        name::Comm,
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
        reconciled: None,
        degraded: degraded.iter().map(|&what| what.to_owned()).collect(),
    }
}

fn peer(address: &str) -> Peer {
    Peer::Address(address.parse::<IpAddr>().unwrap())
}

/// The founding incident: three connections every thirty seconds, for six minutes.
fn finding(stage: Stage, direction: Direction, comm: Comm, peer: Peer) -> Finding {
    Finding {
        id: FindingId(1),
        stage,
        group: GroupKey {
            process: ProcessId {
                pid: 4711,
                start: Time(5_000_000_000),
            },
            direction,
            peer,
            service_port: 9090,
        },
        comm,
        open: 37,
        peak: 40,
        phases: Phases {
            open: 37,
            ..Phases::default()
        },
        evidence: Evidence {
            opened: 37,
            closed: 0,
            since: NOW.earlier(Duration::from_secs(361)),
            last: NOW.earlier(Duration::from_secs(1)),
            closed_before: 0,
        },
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
        proptest::collection::vec(any::<char>(), 0..5)
            .prop_map(|text| comm(text.iter().collect::<String>().as_bytes())),
        proptest::sample::select(&HOSTILE[..]).prop_map(comm),
    ]
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let stage = prop_oneof![
        Just(Stage::Opened),
        Just(Stage::Updated),
        Just(Stage::Resolved(Resolution::Drained))
    ];
    let direction = prop_oneof![Just(Direction::Outbound), Just(Direction::Inbound)];
    let peer = prop_oneof![any::<IpAddr>().prop_map(Peer::Address), Just(Peer::Other)];
    let process = prop_oneof![
        (any::<u32>(), any::<u64>()).prop_map(|(pid, start)| ProcessId {
            pid,
            start: Time(start)
        }),
        Just(ProcessId::KERNEL),
        Just(ProcessId::OTHER),
    ];
    let numbers = any::<(u16, u32, u32, u64, u64, u64, u64)>();
    (stage, direction, peer, process, any_comm(), numbers).prop_map(
        |(stage, direction, peer, process, comm, (service_port, open, peak, opened, since, last, before))| {
            Finding {
                id: FindingId(opened),
                stage,
                group: GroupKey {
                    process,
                    direction,
                    peer,
                    service_port,
                },
                comm,
                open,
                peak,
                phases: phases(open, peak),
                evidence: Evidence {
                    opened,
                    closed: since,
                    since: Time(since),
                    last: Time(last),
                    closed_before: before,
                },
            }
        },
    )
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
