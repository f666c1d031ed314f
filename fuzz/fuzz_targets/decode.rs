//! Any bytes as a stream of ring buffer records, entered into small books that must balance after each look.
//!
//! A byte says how long the next record is; 255 stands for a tick, at the time in the next eight bytes.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tracer::{
    ingest::{decode::decode, intake::Intake},
    model::{
        connection::{ConnectionId, Phase},
        fact::Fact,
        ledger::{Ledger, Limits},
        tally::Tally,
        time::Time,
        view,
    },
};

const CONNECTIONS: usize = 8;
const GROUPS: usize = 3;
const TICK: u8 = 255;

fuzz_target!(|data: &[u8]| {
    let mut ledger = Ledger::new(Limits {
        connections: CONNECTIONS,
        groups: GROUPS,
        retention: Duration::from_mins(1),
    });
    let mut intake = Intake::together();
    let mut facts = Vec::new();
    let mut now = Time(0);
    let mut rest = data;
    while let Some((length, after)) = rest.split_first() {
        if *length == TICK {
            let Some((time, after)) = after.split_first_chunk() else {
                break;
            };
            now = Time(u64::from_ne_bytes(*time));
            intake.settle(&mut ledger, &mut facts);
            balance(&ledger, &facts);
            ledger.tick(now);
            rest = after;
        } else {
            let (record, after) = after.split_at(after.len().min(usize::from(*length)));
            if let Ok(mut event) = decode(record) {
                // Few identities, so that records meet.
                event.id = ConnectionId(event.id.0 % 16);
                intake.take(&event, &mut ledger, &mut facts);
            }
            rest = after;
        }
    }
    intake.settle(&mut ledger, &mut facts);
    balance(&ledger, &facts);
    let (processes, all) = view::per_process(&ledger, now, 2);
    assert!(processes.len() <= 2 && processes.len() <= all);
    let _ = view::per_peer(&ledger, now, 2);
});

fn balance(ledger: &Ledger, facts: &[Fact]) {
    let total = ledger.total();
    let sum = |of: fn(&Fact) -> u32| facts.iter().map(|fact| u64::from(of(fact))).sum::<u64>();
    let opened = sum(|fact| match fact {
        Fact::Opened { .. } => 1,
        Fact::Short { count, .. } => *count,
        _ => 0,
    });
    let closed = sum(|fact| match fact {
        Fact::Closed { .. } => 1,
        Fact::Short { count, .. } => *count,
        _ => 0,
    });
    assert_eq!((total.opened, total.closed), (opened, closed));
    let phases = || ledger.connections().map(|(_, connection)| connection.phase);
    assert_eq!(
        total.open as usize,
        phases().filter(|phase| phase.is_held()).count()
    );
    assert_eq!(
        total.connecting as usize,
        phases().filter(|phase| *phase == Phase::Connecting).count()
    );
    assert_eq!(total.failed, ledger.failures().values().sum::<u64>());
    conserved([total]);

    let groups = || ledger.groups().iter().map(|(_, group)| &group.tally);
    let processes = || ledger.processes().iter().map(|(_, process)| &process.tally);
    let peers = || ledger.peers().iter().map(|(_, peer)| &peer.tally);
    for open in [conserved(groups()), conserved(processes()), conserved(peers())] {
        assert_eq!(open, total.open);
    }

    assert!(ledger.connections().count() <= CONNECTIONS);
    assert!(ledger.processes().len() <= GROUPS + 1);
    assert!(ledger.peers().len() <= GROUPS + 2);
    assert!(ledger.groups().len() <= GROUPS + 2 * (GROUPS + 1));
}

/// Gives what is open in all of them.
fn conserved<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> u32 {
    let open = |tally: &Tally| {
        assert_eq!(tally.opened, u64::from(tally.open) + tally.closed);
        tally.open
    };
    tallies.into_iter().map(open).sum()
}
