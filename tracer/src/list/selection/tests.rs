use std::collections::BTreeSet;

use super::apply;
use crate::{
    bpf::filter::Filter,
    cli::values,
    model::{
        connection::Direction,
        inventory::{
            Inventory,
            tests::sample::{CHILD, CLIENT, HOME, NOW, SERVER, incident},
        },
        snapshot::{Held, Snapshot},
    },
};

/// The connections and the listening sockets that are left, by number.
fn left_of(snapshot: &Snapshot, filter: &Filter) -> (Vec<u64>, Vec<u64>) {
    let mut inventory = Inventory::of(snapshot, NOW);
    apply(filter, &mut inventory);
    let connections: BTreeSet<u64> = inventory.connections.iter().map(|listed| listed.id.0).collect();
    let listeners = inventory.listeners.iter().map(|socket| socket.id.0);
    (connections.into_iter().collect(), listeners.collect())
}

fn left(filter: &Filter) -> (Vec<u64>, Vec<u64>) {
    left_of(&incident(), filter)
}

fn peers(nets: &[&str]) -> Filter {
    Filter {
        peers: nets.iter().map(|net| values::peer(net).unwrap()).collect(),
        ..Filter::default()
    }
}

#[test]
fn without_a_filter_all_are_meant() {
    let all = ((1..=9).collect(), vec![701, 700]);
    assert_eq!(left(&Filter::default()), all);
}

#[test]
fn a_port_is_the_servers() {
    let port = |port| Filter {
        ports: vec![port..=port],
        ..Filter::default()
    };
    assert_eq!(left(&port(9090)), (vec![1, 2, 3, 8, 9], vec![700]));
    assert_eq!(left(&port(5432)), (vec![4, 5, 6, 7], vec![]));
    assert_eq!(left(&port(40_001)), (vec![], vec![]), "a client's");
    assert_eq!(left(&port(22)), (vec![], vec![701]));
}

#[test]
fn a_direction_leaves_listening_sockets_to_who_accepts() {
    let direction = |direction| Filter {
        direction: Some(direction),
        ..Filter::default()
    };
    assert_eq!(left(&direction(Direction::Outbound)), (vec![4, 5, 6, 7], vec![]));
    let inbound = (vec![1, 2, 3, 8, 9], vec![701, 700]);
    assert_eq!(left(&direction(Direction::Inbound)), inbound);
}

#[test]
fn any_holder_will_do() {
    let pids = |pids: &[u32]| Filter {
        pids: pids.to_vec(),
        ..Filter::default()
    };
    assert_eq!(left(&pids(&[CHILD.0])), (vec![5], vec![]));
    assert_eq!(left(&pids(&[CLIENT.0])), (vec![4, 5, 6, 7], vec![]));
    assert_eq!(left(&pids(&[SERVER.0])), (vec![1, 2, 3, 8, 9], vec![700]));
    assert_eq!(left(&pids(&[1, CHILD.0])), (vec![5], vec![701]));
    let comms = |comms: &[&str]| Filter {
        comms: comms.iter().map(|&comm| comm.to_owned()).collect(),
        ..Filter::default()
    };
    assert_eq!(left(&comms(&["worker", "sshd"])), (vec![5], vec![701]));
    assert_eq!(left(&comms(&["work"])), (vec![], vec![]));
    // It must be the same holder.
    let nobody = Filter {
        comms: vec!["controller".to_owned()],
        ..pids(&[CHILD.0])
    };
    assert_eq!(left(&nobody), (vec![], vec![]));
}

#[test]
fn a_listening_socket_is_of_a_peer_that_connected_to_it_or_may_have() {
    assert_eq!(left(&peers(&["10.0.0.9"])), (vec![1, 2, 3, 8], vec![700]));
    assert_eq!(left(&peers(&["10.0.0.7", "10.0.0.8/32"])).1, [700]);
    assert_eq!(left(&peers(&["10.0.0.7"])), (vec![4, 5, 6, 7], vec![]));
    let mut snapshot = incident();
    snapshot.listeners[0].queued = 3;
    assert_eq!(left_of(&snapshot, &peers(&["10.0.0.7"])).1, [700]);
}

#[test]
fn a_prefix_means_the_same_here_as_in_the_kernel() {
    let all = left(&Filter::default()).0;
    for net in [
        "10.0.0.0/8",
        "10.9.9.9/8",
        "0.0.0.0/0",
        "::ffff:10.0.0.0/104",
        "::/0",
    ] {
        assert_eq!(left(&peers(&[net])).0, all, "{net}");
    }
    for net in ["11.0.0.0/8", "fd00::/8", "::ffff:11.0.0.0/104"] {
        assert_eq!(left(&peers(&[net])).0, [0; 0], "{net}");
    }
}

#[test]
fn kinds_combine() {
    let filter = Filter {
        ports: vec![9090..=9090],
        pids: vec![SERVER.0],
        direction: Some(Direction::Inbound),
        ..peers(&["10.0.0.8"])
    };
    assert_eq!(left(&filter), (vec![9], vec![700]));
}

#[test]
fn a_name_ends_at_its_first_nul() {
    let mut snapshot = incident();
    let padded = *b"controller\0junk\0";
    for row in &mut snapshot.held {
        *row = Held {
            comm: crate::model::name::Comm::new(padded),
            netns: HOME,
            ..*row
        };
    }
    let filter = Filter {
        comms: vec!["controller".to_owned()],
        ..Filter::default()
    };
    assert_eq!(left_of(&snapshot, &filter).0, [1, 2, 3, 4, 5, 6, 7]);
}
