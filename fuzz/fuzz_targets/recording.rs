//! Any bytes as a recording, in pieces of any size: read, put in order and entered into the ledger, whose books must
//! balance.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer::{
    model::{
        ledger::{Ledger, Limits},
        time::Time,
    },
    recording::{
        line::Line,
        player::Player,
        reader::{Entry, Reader},
        schedule::{Schedule, Step},
    },
};

/// A hostile recording may last for centuries; so many seconds of it are enough.
const TICKS: u32 = 1000;

fuzz_target!(|data: &[u8]| {
    let Some((piece, file)) = data.split_first() else {
        return;
    };
    let mut reader = Reader::new();
    let mut entries = Vec::new();
    for piece in file.chunks(usize::from(*piece) + 1) {
        if reader.read(piece, &mut entries).is_err() {
            return;
        }
    }
    let _ = reader.finish(&mut entries);

    let mut ledger = Ledger::new(Limits {
        connections: 64,
        groups: 4,
        ..Limits::default()
    });
    let mut player = Player::new();
    let mut facts = Vec::new();
    let mut schedule = Schedule::new(Time(0));
    let mut ticks = 0;
    for entry in entries {
        let Entry::Line(line) = entry else { continue };
        if let Line::Header(header) = &line {
            schedule = Schedule::new(header.ts);
        }
        schedule.push(line);
    }
    while let Some(step) = schedule.drain() {
        match step {
            Step::Line(line) => {
                player.play(line, &mut ledger, &mut facts, |opening| opening.netns != 7);
            }
            Step::Tick(at) => {
                player.settle(at, &mut ledger, &mut facts);
                ledger.tick(at);
                ticks += 1;
                if ticks > TICKS {
                    break;
                }
            }
        }
    }
    let total = ledger.total();
    assert_eq!(
        total.opened + total.older + total.received,
        u64::from(total.open) + total.closed + total.given
    );
});
