//! Any bytes as rows of two snapshots: decoded, and entered into the ledger, whose books must balance.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer::{
    ingest::rows::{Hz, decode_rows},
    model::{
        ledger::{Ledger, Limits},
        snapshot::Snapshot,
        time::Time,
    },
};

fuzz_target!(|data: &[u8]| {
    let mut ledger = Ledger::new(Limits {
        connections: 64,
        groups: 4,
        ..Limits::default()
    });
    let mut facts = Vec::new();
    let (first, second) = data.split_at(data.len() / 2);
    for rows in [first, second] {
        let mut snapshot = Snapshot {
            began: Time(u64::MAX),
            ..Snapshot::default()
        };
        let _ = decode_rows(rows, Some(Hz(250)), &mut snapshot);
        ledger.begin_snapshot();
        ledger.reconcile(&snapshot, Time(u64::MAX), |_| true, &mut facts);
        let total = ledger.total();
        assert_eq!(total.opened + total.older, u64::from(total.open) + total.closed);
    }
});
