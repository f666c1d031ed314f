//! Ticks: what a second costs in which the rules look at many groups.

use std::time::Duration;

use tracer::model::time::Time;

use super::{float, millis, timed};
use crate::{
    engine::Engine,
    figure::Figure,
    world::{BEGIN, World},
};

/// Groups.
const GROUPS: u32 = 100_000;
/// Seconds that are measured: all rings turn several times.
const SECONDS: u32 = 64;

const SHAPES: [(&str, World); 4] = [
    (
        "100 processes x 1,000 peers",
        World {
            processes: 100,
            peers: 1_000,
        },
    ),
    (
        "1 process x 100,000 peers",
        World {
            processes: 1,
            peers: GROUPS,
        },
    ),
    (
        "100,000 processes x 1 peer",
        World {
            processes: GROUPS,
            peers: 1,
        },
    ),
    (
        "316 processes x 317 peers",
        World {
            processes: 316,
            peers: 317,
        },
    ),
];

/// Time per tick: of groups with one idle connection each, and of groups in each of which something happens.
pub fn measure(figures: &mut Vec<Figure>) {
    for (name, world) in SHAPES {
        let mut engine = Engine::new(1 << 21, 1 << 18);
        engine.reconcile(
            &world.snapshot(world.groups().into(), BEGIN, Duration::from_secs(60)),
            BEGIN,
        );
        let (first, after) = (
            timed(|| engine.tick(BEGIN + Duration::from_secs(1))).1,
            BEGIN + Duration::from_secs(1),
        );
        figures.push(Figure::new(
            format!("first tick after attach, {name}"),
            millis(first),
            "ms",
        ));
        let (mean, longest) = ticks(&mut engine, after, |_, _| {});
        figures.push(Figure::new(format!("tick, idle, {name}: mean"), millis(mean), "ms").at_most(10.0));
        figures.push(Figure::new(
            format!("tick, idle, {name}: longest"),
            millis(longest),
            "ms",
        ));
        if name != SHAPES[0].0 {
            continue;
        }
        let mut number = 1 << 32;
        let later = after + Duration::from_secs(SECONDS.into());
        let (mean, longest) = ticks(&mut engine, later, |engine, now| {
            for group in 0..world.groups() {
                number += 1;
                engine.short(world.opening(group, number), number, now);
            }
        });
        figures
            .push(Figure::new(format!("tick, all active, {name}: mean"), millis(mean), "ms").at_most(10.0));
        figures.push(Figure::new(
            format!("tick, all active, {name}: longest"),
            millis(longest),
            "ms",
        ));
    }
}

/// Mean and longest; what happens between them does not count.
fn ticks(
    engine: &mut Engine,
    after: Time,
    mut happen: impl FnMut(&mut Engine, Time),
) -> (Duration, Duration) {
    let mut all = Duration::ZERO;
    let mut longest = Duration::ZERO;
    for second in 1..=SECONDS {
        let now = after + Duration::from_secs(second.into());
        happen(engine, now);
        let ((), took) = timed(|| engine.tick(now));
        all += took;
        longest = longest.max(took);
    }
    (all.div_f64(float(SECONDS as usize)), longest)
}

/// The first look at what was there before: many groups, many connections.
pub fn attach(figures: &mut Vec<Figure>) {
    let world = World {
        processes: 100,
        peers: 100,
    };
    let mut engine = Engine::new(1 << 20, 1 << 17);
    let snapshot = world.snapshot(100_000, BEGIN, Duration::from_hours(3));
    let ((), took) = timed(|| engine.reconcile(&snapshot, BEGIN));
    figures.push(Figure::new(
        "attach to 10,000 groups x 100,000 connections: the snapshot enters the books",
        millis(took),
        "ms",
    ));
    let ((), took) = timed(|| engine.tick(BEGIN + Duration::from_secs(1)));
    figures.push(Figure::new(
        "attach to 10,000 groups x 100,000 connections: the first tick",
        millis(took),
        "ms",
    ));
}
