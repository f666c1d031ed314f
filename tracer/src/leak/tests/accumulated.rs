//! What was there when the tracer came.

use super::world::World;
use crate::leak::evidence::{Basis, Scope};

#[test]
fn what_was_there_at_attach_is_told_and_what_a_loss_hid_is_not_taken_for_it() {
    let mut world = World::new(100);
    world.pass(60);
    world.compare(1..=60);
    world.pass(5);
    assert_eq!(world.first().1.basis, Basis::Accumulated);

    let mut world = World::new(100);
    world.pass(60);
    let seen: Vec<u64> = (0..60).map(|_| world.open()).collect();
    world.pass(60);
    // The opening of one more was lost.
    world.compare(1..=61);
    assert_eq!(world.ledger.total().open, 61, "{} were seen", seen.len());
    world.pass(60);
    assert_eq!(world.told, []);
}

/// Attaches to so many connections, idle and spread evenly over so many peers, below a limit of 1024.
fn attach_to(connections: u64, peers: u64) -> World {
    let mut world = World::new(1024);
    world.pass(60);
    world.compare_to(1..=connections, |id| u8::try_from(id % peers).unwrap());
    world.pass(5);
    world
}

#[test]
fn idle_connections_of_a_few_peers_count_together() {
    let world = attach_to(300, 4);
    let (_, leak) = world.first();
    assert_eq!((leak.basis, leak.open), (Basis::Accumulated, 300));
    assert!(
        matches!(leak.scope, Scope::Process { peers: 4, .. }),
        "{:?}",
        leak.scope
    );
    assert_eq!(world.told.len(), 1, "once");
    assert_eq!(attach_to(200, 4).told, [], "less than a quarter of the limit");
    assert_eq!(attach_to(300, 100).told, [], "a mesh has some to each of many");
}
