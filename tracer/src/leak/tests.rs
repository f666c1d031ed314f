//! The rules, each by the sentence it defends.

mod accumulated;
mod dormant;
mod loss;
mod stall;
mod survivors;
mod unanswered;
mod working;
mod world;

use std::{net::IpAddr, time::Duration};

use super::{
    Detector,
    evidence::Leak,
    finding::{Finding, Kind, Resolution, Stage},
    row::{RowParameters, RowRule},
};
use crate::model::{
    connection::{ConnectionId, Direction, ProcessId},
    event::{Event, EventKind, Opening},
    ledger::{Ledger, Limits},
    name::Comm,
    stack::Opener,
    time::Time,
};

/// A ledger and the rule, driven like the runtime drives them.
struct Bench {
    ledger: Ledger,
    rule: RowRule,
    next: u64,
    told: Vec<Finding>,
}

fn at(seconds: f64) -> Time {
    Time(0) + Duration::from_secs_f64(1000.0 + seconds)
}

impl Bench {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(Limits::default()),
            rule: RowRule::new(RowParameters::default()),
            next: 0,
            told: Vec::new(),
        }
    }

    fn apply(&mut self, event: &Event) {
        let mut facts = Vec::new();
        self.ledger.apply(event, &mut facts);
        for fact in &facts {
            self.rule.observe(fact);
        }
    }

    fn open(&mut self, pid: u32, seconds: f64) -> u64 {
        self.next += 1;
        let peer = IpAddr::from([10, 0, 0, 7]);
        let opening = Opening {
            process: ProcessId { pid, start: Time(1) },
            comm: Comm::from("controller"),
            direction: Direction::Inbound,
            connecting: false,
            local: (peer, 9090).into(),
            peer: (peer, 40000).into(),
            netns: 1,
            stack: Opener::NOT_ASKED,
        };
        self.apply(&Event {
            at: at(seconds),
            id: ConnectionId(self.next),
            kind: EventKind::Opened(opening),
        });
        self.next
    }

    fn close(&mut self, id: u64, seconds: f64) {
        self.apply(&Event {
            at: at(seconds),
            id: ConnectionId(id),
            kind: EventKind::Released { connected: true },
        });
    }

    fn tick(&mut self, seconds: f64) -> Vec<Stage> {
        let mut findings = Vec::new();
        self.ledger.tick(at(seconds));
        self.rule.tick(at(seconds), &self.ledger, &mut findings);
        self.told.extend(findings.iter().cloned());
        findings.iter().map(|finding| finding.stage).collect()
    }
}

fn leak(finding: &Finding) -> &Leak {
    match &finding.kind {
        Kind::Leak(leak) => leak,
        _ => panic!("{finding:?} is of another rule"),
    }
}

#[test]
fn three_connections_a_second_that_never_close_are_flagged_within_fifteen_seconds() {
    let mut bench = Bench::new();
    for second in 0..15_u32 {
        for _ in 0..3 {
            bench.open(1, f64::from(second));
        }
        bench.tick(f64::from(second) + 0.5);
    }
    assert_eq!(bench.told.len(), 1, "one alert, once");
    let finding = &bench.told[0];
    let leak = leak(finding);
    assert_eq!((finding.stage, leak.open), (Stage::Opened, 33));
    assert_eq!(
        (finding.id.to_string(), finding.netns),
        ("leak-1".to_owned(), Some(1))
    );
    let rate = leak.evidence.per_hour.unwrap().mid;
    assert!(
        (10_800.0..=11_600.0).contains(&rate),
        "3 a second are 10,800 an hour, {rate} found"
    );
}

#[test]
fn a_burst_is_not_growth() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.open(1, 0.0);
    }
    assert_eq!(bench.tick(5.0), []);
    assert_eq!(bench.tick(300.0), []);
}

#[test]
fn a_single_close_breaks_the_row() {
    let mut bench = Bench::new();
    let mut last = 0;
    for second in 0..60_u32 {
        last = bench.open(1, f64::from(second));
        if second % 9 == 8 {
            bench.close(last, f64::from(second) + 0.1);
        }
        assert_eq!(bench.tick(f64::from(second) + 0.5), [], "second {second}");
    }
    assert!(last > 0);
}

#[test]
fn growth_that_stopped_long_ago_is_not_flagged() {
    let mut bench = Bench::new();
    for second in 0..20_u32 {
        bench.open(1, f64::from(second));
    }
    assert_eq!(bench.tick(19.0 + 601.0), []);
}

#[test]
fn the_alert_resolves_when_half_are_closed_and_can_come_again() {
    let mut bench = Bench::new();
    let leak = |bench: &mut Bench, from: u32| -> Vec<u64> {
        (from..from + 20)
            .map(|second| bench.open(1, f64::from(second)))
            .collect()
    };
    let ids = leak(&mut bench, 0);
    assert_eq!(bench.tick(20.0), [Stage::Opened]);
    for id in &ids[..9] {
        bench.close(*id, 21.0);
    }
    assert_eq!(bench.tick(21.5), [], "11 of 20 are still open");
    bench.close(ids[9], 22.0);
    assert_eq!(bench.tick(22.5), [Stage::Resolved(Resolution::Drained)]);
    assert_eq!(bench.tick(23.5), [], "told once");
    leak(&mut bench, 30);
    assert_eq!(bench.tick(51.0), [Stage::Opened]);
    assert_ne!(bench.told[0].id, bench.told[2].id, "a new finding has a new id");
}

#[test]
fn only_doubling_is_news() {
    let mut bench = Bench::new();
    let mut news = Vec::new();
    for second in 0..200_u32 {
        bench.open(1, f64::from(second));
        news.extend(bench.tick(f64::from(second) + 0.5));
    }
    assert_eq!(
        news,
        [
            Stage::Opened,
            Stage::Updated,
            Stage::Updated,
            Stage::Updated,
            Stage::Updated
        ]
    );
}

#[test]
fn processes_are_judged_apart() {
    let mut bench = Bench::new();
    for second in 0..20_u32 {
        bench.open(1, f64::from(second));
        let id = bench.open(2, f64::from(second));
        bench.close(id, f64::from(second) + 0.2);
    }
    bench.tick(20.0);
    let accused: Vec<u32> = bench.told.iter().map(|finding| finding.process.pid).collect();
    assert_eq!(accused, [1]);
}

#[test]
fn closes_after_the_alert_are_part_of_the_evidence() {
    let mut bench = Bench::new();
    let ids: Vec<u64> = (0..11_u32)
        .map(|second| bench.open(1, f64::from(second)))
        .collect();
    assert_eq!(bench.tick(11.0), [Stage::Opened]);
    for id in &ids[..3] {
        bench.close(*id, 12.0);
    }
    for second in 13..33_u32 {
        bench.open(1, f64::from(second));
    }
    assert_eq!(bench.tick(33.0), [Stage::Updated]);
    let Leak {
        open,
        evidence,
        phases,
        ..
    } = leak(&bench.told[1]);
    assert_eq!((*open, evidence.opened, evidence.closed), (28, 31, 3));
    assert_eq!(phases.open, 28);
    let rate = evidence.per_hour.unwrap().mid;
    assert!((rate - 27.0 / 32.0 * 3600.0).abs() < 1.0, "{rate}");
}

#[test]
fn a_long_pause_ends_the_row() {
    let mut bench = Bench::new();
    for second in 0..30_u32 {
        // Ten in a row need nine pauses, each longer than the window of ten minutes.
        bench.open(1, f64::from(second) * 601.0);
        assert_eq!(bench.tick(f64::from(second) * 601.0 + 0.5), []);
    }
}
