use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::Value;

use super::{
    HOSTILE, NOW, any_finding, comm, confidence, finding, growing, is_harmless, peer, stalled, wall, worth,
};
use crate::{
    leak::finding::{Finding, Kind, Resolution, Stage},
    model::{
        connection::{Direction, Peer},
        time::Time,
    },
    output::{
        json::{self, Wall},
        record::{Books, Confidence},
    },
};

fn told(finding: &Finding, confidence: Confidence) -> String {
    json::line(wall(), NOW, json::finding(finding, &worth(confidence)))
}

#[test]
fn wall_clock_times_are_rfc3339() {
    assert_eq!(wall().rfc3339(NOW), "2026-03-01T14:03:09.250Z");
    assert_eq!(wall().clock(NOW), "14:03:09Z");
    // Boot, and one more hour than the tracer runs.
    assert_eq!(wall().rfc3339(Time(0)), "2026-03-01T12:03:09.250Z");
    assert_eq!(
        wall().rfc3339(NOW + Duration::from_hours(1)),
        "2026-03-01T15:03:09.250Z"
    );
}

#[test]
fn no_clock_is_so_wrong_that_it_cannot_be_printed() {
    let day = Duration::from_hours(24);
    let epoch = SystemTime::UNIX_EPOCH;
    // A machine without a battery-backed clock starts in 1970, or before it once boot time is taken off.
    assert_eq!(Wall::new(NOW, epoch).rfc3339(Time(0)), "1970-01-01T00:00:00.000Z");
    assert_eq!(Wall::new(NOW, epoch).rfc3339(NOW), "1970-01-01T00:00:00.000Z");
    assert_eq!(Wall::new(NOW, epoch - day).clock(Time(0)), "00:00:00Z");
    let far = Wall::new(Time(0), epoch + day * 366 * 20_000);
    assert_eq!(far.rfc3339(Time(u64::MAX)), "9999-12-31T23:59:59.000Z");
    assert_eq!(far.rfc3339(Time(0)), "9999-12-31T23:59:59.000Z");
}

#[test]
fn what_does_not_apply_is_absent() {
    let resolved = Stage::Resolved(Resolution::Drained);
    let finding = growing(
        resolved,
        Direction::Inbound,
        comm(b"server"),
        Peer::Other,
        |leak| (leak.evidence.per_hour, leak.forecast) = (None, None),
    );
    let line = told(&finding, confidence(0, &[]));
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["status"], "resolved");
    assert_eq!(value["resolution"], "drained");
    assert_eq!(value["peer"], "other");
    for field in ["growth_per_hour", "forecast", "news", "times", "openers", "ports"] {
        assert!(!value.as_object().unwrap().contains_key(field), "{field}");
    }
}

#[test]
fn hostile_names_are_kept_whole_and_shown_harmless() {
    for name in HOSTILE {
        for finding in [
            finding(Stage::Opened, Direction::Outbound, comm(name), peer("10.0.0.7")),
            stalled(Stage::Opened, comm(name), |_| {}),
        ] {
            let value = checked(&told(&finding, confidence(0, &[])));
            let kept = value["process"]["comm"].as_str().unwrap();
            assert_eq!(kept, String::from_utf8_lossy(comm(name).bytes()));
        }
    }
    // Beyond the basic plane an escape takes two units.
    let tag = finding(
        Stage::Opened,
        Direction::Outbound,
        comm("\u{e0041}".as_bytes()),
        peer("::1"),
    );
    let line = told(&tag, confidence(0, &[]));
    assert!(line.contains(r#""comm":"\udb40\udc41""#), "{line}");
}

#[test]
fn lost_events_are_added_up_without_overflow() {
    let books = Books {
        ring_full: u64::MAX,
        map_full: 1,
        unreadable: u64::MAX,
        ..Books::default()
    };
    assert_eq!(books.lost(), u64::MAX);
    assert_eq!(
        Books {
            ring_full: 1,
            map_full: 2,
            unreadable: 3,
            program_misses: 4,
            rejected: 5,
            untracked: 6,
            probe_misses: 7,
            simulated: 8,
            elsewhere: 9,
            // The rest is no loss.
            unlisted: 100,
            seen: 100,
            submitted: 100,
            received: 100,
            decoded: 100,
            overflowed: 100,
            unobserved_ends: 100,
            unknown_closes: 100,
            stack_table_full: 0,
            no_user_stack: 0,
            orphans: 100,
            duplicates: 100,
        }
        .lost(),
        45
    );
}

/// The object on this line, which must be exactly one line that a terminal shows as it is.
fn checked(line: &str) -> Value {
    let (object, rest) = line.split_once('\n').unwrap();
    assert_eq!(rest, "", "one line");
    assert!(object.chars().all(is_harmless), "{object:?}");
    serde_json::from_str(object).unwrap()
}

proptest! {
    #[test]
    fn any_finding_is_one_line_of_json(finding in any_finding(), lost in any::<u64>(), now in any::<u64>()) {
        let confidence = confidence(lost, &["\u{202e}\n\x1b\""]);
        let line = json::line(wall(), Time(now), json::finding(&finding, &worth(confidence)));
        let value = checked(&line);
        prop_assert_eq!(
            value["process"]["comm"].as_str().unwrap(),
            String::from_utf8_lossy(finding.comm.bytes())
        );
        prop_assert_eq!(value["confidence"]["degraded"][0].as_str(), Some("\u{202e}\n\x1b\""));
        prop_assert_eq!(&value["id"], &Value::from(finding.id.to_string()));
        match finding.kind {
            Kind::Leak(leak) => {
                prop_assert_eq!(value["type"].as_str(), Some("alert"));
                prop_assert_eq!(value["open"].as_u64(), Some(u64::from(leak.open)));
            }
            Kind::Exhaustion(exhaustion) => {
                prop_assert_eq!(value["type"].as_str(), Some("limit"));
                prop_assert_eq!(value["descriptors"]["limit"].as_u64(), Some(exhaustion.limit));
            }
            Kind::Stalled(stalled) => {
                prop_assert_eq!(value["type"].as_str(), Some("stall"));
                prop_assert_eq!(value["queued"].as_u64(), Some(u64::from(stalled.queue.length)));
            }
        }
    }
}

#[test]
fn a_stepped_wall_clock_is_followed_and_noise_is_not() {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_hours(12);
    let mut wall = Wall::new(Time(0), noon);
    wall.follow(Time(1_000_000_000), noon + Duration::from_millis(1050));
    assert_eq!(wall.rfc3339(Time(0)), "1970-01-01T12:00:00.000Z");
    wall.follow(Time(1_000_000_000), noon + Duration::from_secs(61));
    assert_eq!(wall.rfc3339(Time(0)), "1970-01-01T12:01:00.000Z");
    wall.follow(Time(1_000_000_000), noon);
    assert_eq!(wall.rfc3339(Time(1_000_000_000)), "1970-01-01T12:00:00.000Z");
}
