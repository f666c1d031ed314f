//! Attempts to connect that nobody answers.

use super::world::{World, leak};
use crate::{
    leak::{
        Detector as _,
        evidence::{Basis, Class},
        finding::{Resolution, Stage},
    },
    model::event::{EventKind, Opening, StateChange},
};

fn attempt(world: &mut World) {
    world.next += 1;
    let opening = Opening {
        connecting: true,
        ..world.opening(7)
    };
    world.event(world.next, EventKind::Opened(opening));
}

fn give_up(world: &mut World, id: u64) {
    world.event(id, EventKind::State(StateChange::Closed { error: 110 }));
    world.event(id, EventKind::Released { connected: false });
}

#[test]
fn attempts_that_nobody_answers_pile_up() {
    let mut world = World::new(1024);
    for _ in 0..60 {
        attempt(&mut world);
        world.tick();
    }
    let (_, leak) = world.first();
    assert_eq!((leak.class, leak.basis), (Class::BlackHole, Basis::Unanswered));
    let open = world.next;
    for id in 1..=open {
        give_up(&mut world, id);
    }
    world.pass(20);
    assert_eq!(world.stages().last(), Some(&Stage::Resolved(Resolution::Drained)));
}

/// One attempt a second, each given up after 20 s; of the fifth that is not heard. Gives the world when that is
/// suspicious, and those that are under way.
fn one_that_seems_to_wait() -> (World, std::ops::RangeInclusive<u64>) {
    let mut world = World::new(1024);
    world.compare([]);
    for second in 1..=60 {
        attempt(&mut world);
        if second > 20 && second != 25 {
            give_up(&mut world, second - 20);
        }
        world.tick();
        if world.rule.is_suspicious(world.at(), &world.ledger) {
            world.tick();
            return (world, second - 19..=second);
        }
    }
    panic!("nothing is suspicious");
}

#[test]
fn an_attempt_whose_end_was_lost_is_looked_for_before_anything_is_told() {
    let (mut world, under_way) = one_that_seems_to_wait();
    world.compare(under_way);
    world.pass(6);
    assert_eq!(world.told, []);

    let (mut world, under_way) = one_that_seems_to_wait();
    world.compare(under_way.chain([5]));
    world.pass(6);
    assert_eq!(leak(&world.told[0].1).basis, Basis::Unanswered, "it does wait");
}
