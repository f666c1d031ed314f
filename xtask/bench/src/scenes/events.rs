//! Events: from a record to the rules, with a tick for each second that passes.

use super::{float, timed};
use crate::{count::Counting, engine::Engine, figure::Figure, stream::Stream, world::World};

/// Connections that come in a second of the stream's clock.
const PER_SECOND: u64 = 20_000;
/// Connections of a batch that is timed.
const BATCH: usize = 50_000;
/// Batches; the fastest counts, for whatever disturbs makes it slower.
const BATCHES: usize = 10;

/// The loads: their name, the world, and what is open.
const LOADS: [(&str, World, usize); 3] = [
    (
        "1,000 groups, 10,000 open",
        World {
            processes: 100,
            peers: 10,
        },
        10_000,
    ),
    (
        "10,000 groups, 100,000 open",
        World {
            processes: 100,
            peers: 100,
        },
        100_000,
    ),
    (
        "1 group, 1,000 open",
        World {
            processes: 1,
            peers: 1,
        },
        1_000,
    ),
];

/// Events per second.
pub fn measure(figures: &mut Vec<Figure>) {
    for (name, world, open) in LOADS {
        let (mut engine, mut stream) = steady(world, open);
        let mut fastest = f64::INFINITY;
        for _ in 0..BATCHES {
            let batch = stream.batch(BATCH);
            let ((), took) = timed(|| batch.records().for_each(|record| engine.record(record)));
            fastest = fastest.min(took.as_secs_f64() / float(batch.len()));
        }
        figures.push(Figure::new(format!("events, {name}"), 1e-6 / fastest, "million/s").at_least(3.0));
    }
    let (mut engine, mut stream) = churning();
    let mut fastest = f64::INFINITY;
    for _ in 0..BATCHES {
        let batch = stream.short(BATCH);
        let ((), took) = timed(|| batch.records().for_each(|record| engine.record(record)));
        fastest = fastest.min(took.as_secs_f64() / float(batch.len()));
    }
    figures.push(Figure::new("events, short connections", 1e-6 / fastest, "million/s").at_least(3.0));
}

/// A process that connects to itself and closes at once, for some seconds.
fn churning() -> (Engine, Stream) {
    let mut engine = Engine::new(1 << 20, 1 << 17);
    let mut stream = Stream::new(LOADS[2].1, 0, 9_000);
    let batch = stream.short(BATCH);
    batch.records().for_each(|record| engine.record(record));
    (engine, stream)
}

/// Allocations per event in the steady state.
pub fn allocations() -> f64 {
    let (_, world, open) = LOADS[0];
    let (mut engine, mut stream) = steady(world, open);
    let batches: Vec<_> = (0..4).map(|_| stream.batch(BATCH)).collect();
    let counting = Counting::new();
    let mut events = 0;
    for batch in &batches {
        batch.records().for_each(|record| engine.record(record));
        events += batch.len();
    }
    float(counting.allocations()) / float(events)
}

fn steady(world: World, open: usize) -> (Engine, Stream) {
    let mut engine = Engine::new(1 << 20, 1 << 17);
    let mut stream = Stream::new(world, open, PER_SECOND);
    // Once more than is open, so that all groups have seen closes, too.
    for _ in 0..(2 * open).div_ceil(BATCH) + 2 {
        let batch = stream.batch(BATCH);
        batch.records().for_each(|record| engine.record(record));
    }
    (engine, stream)
}
