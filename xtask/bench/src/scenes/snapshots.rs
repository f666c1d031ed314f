//! Snapshots: what it costs to compare the books with the kernel's tables. Reading these comes on top.

use std::time::Duration;

use super::{millis, timed};
use crate::{
    engine::Engine,
    figure::Figure,
    world::{BEGIN, World},
};

/// `--reconcile`, as it is by default.
const EVERY: Duration = Duration::from_secs(30);
/// Snapshots that are timed; the fastest counts.
const TIMES: u32 = 10;

/// Time per snapshot in which nothing has changed.
pub fn measure(figures: &mut Vec<Figure>) {
    let world = World {
        processes: 100,
        peers: 10,
    };
    let mut engine = Engine::new(1 << 20, 1 << 17);
    let mut fastest = Duration::MAX;
    for time in 0..TIMES {
        let now = BEGIN + EVERY * time;
        let snapshot = world.snapshot(100_000, now, Duration::from_hours(3) + EVERY * time);
        let ((), took) = timed(|| engine.reconcile(&snapshot, now));
        if time > 0 {
            fastest = fastest.min(took);
        }
        engine.tick(now + Duration::from_secs(1));
    }
    figures.push(Figure::new(
        "snapshot of 100,000 idle connections enters the books",
        millis(fastest),
        "ms",
    ));
    let share = fastest.as_secs_f64() / EVERY.as_secs_f64() * 100.0;
    figures.push(Figure::new("the same, every 30 s, of one core", share, "%").at_most(0.5));
}
