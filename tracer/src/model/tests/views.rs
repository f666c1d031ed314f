//! The views.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::model::{
    connection::PeerKey,
    view::{Age, Ages, per_peer, per_process},
};

/// Process 1 holds one connection to peer 1, process 2 two to peer 2, and so on; process 9 held five.
fn books() -> Books {
    let mut books = Books::new();
    let mut id = 0;
    for pid in [2_u8, 4, 1, 3] {
        for _ in 0..pid {
            id += 1;
            books.tell(
                id,
                id,
                EventKind::Opened(opening(Direction::Inbound, pid.into(), pid, 9090)),
            );
        }
    }
    for _ in 0..5 {
        id += 1;
        books.tell(id, 50, EventKind::Opened(opening(Direction::Inbound, 9, 9, 9090)));
        books.release(id, 60, true);
    }
    books
}

#[test]
fn processes_come_fullest_first_with_their_names() {
    let books = books();
    let (rows, all) = per_process(&books.ledger, at(60), 10);
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.key.id.pid,
                row.counts.tally.open,
                row.counts.tally.opened,
                row.counts.tally.closed,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (4, 4, 4, 0),
            (3, 3, 3, 0),
            (2, 2, 2, 0),
            (1, 1, 1, 0),
            (9, 0, 5, 5)
        ]
    );
    assert_eq!(all, 5);
    assert_eq!(rows[0].key.comm, Comm::from("program-4"));
}

#[test]
fn peers_come_fullest_first() {
    let books = books();
    let (rows, all) = per_peer(&books.ledger, at(60), 10);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.key.peer, row.counts.tally.open))
        .collect();
    let peer = |last| Peer::Address(address(last));
    assert_eq!(
        found,
        [
            (peer(4), 4),
            (peer(3), 3),
            (peer(2), 2),
            (peer(1), 1),
            (peer(9), 0)
        ]
    );
    assert_eq!(all, 5);
}

#[test]
fn a_limit_cuts_the_emptiest_rows_and_says_how_many_there_are() {
    let books = books();
    let (rows, all) = per_process(&books.ledger, at(60), 2);
    assert_eq!((rows.len(), rows[1].key.id.pid, all), (2, 3, 5));
    let (rows, all) = per_peer(&books.ledger, at(60), 0);
    assert_eq!((rows.len(), all), (0, 5));
}

#[test]
fn equally_full_rows_have_a_fixed_order() {
    let mut books = Books::new();
    for pid in [5, 3, 9, 1] {
        books.tell(
            pid.into(),
            0,
            EventKind::Opened(opening(Direction::Inbound, pid, 7, 9090)),
        );
    }
    let (rows, _) = per_process(&books.ledger, at(1), 10);
    assert_eq!(
        rows.iter().map(|row| row.key.id.pid).collect::<Vec<_>>(),
        [1, 3, 5, 9]
    );
}

#[test]
fn a_row_tells_what_its_tally_and_lifetimes_know() {
    let mut books = Books::new();
    for id in 1..=4 {
        books.connect(id, 0);
    }
    books.established(1, 10);
    books.established(2, 10);
    books.state(3, 10, StateChange::Closed { error: 111 });
    books.release(1, 30, true);
    let (rows, _) = per_peer(&books.ledger, at(40), 10);
    let [row] = rows.as_slice() else {
        panic!("one peer, {} rows", rows.len())
    };
    assert_eq!(
        row.key,
        PeerKey {
            direction: Direction::Outbound,
            peer: Peer::Address(address(7)),
            service_port: 9090
        }
    );
    let counts = &row.counts;
    let tally = &counts.tally;
    let sums = (
        tally.open,
        tally.connecting,
        tally.opened,
        tally.closed,
        tally.failed,
    );
    assert_eq!(sums, (1, 1, 2, 1, 1));
    assert_eq!((counts.opened_per_minute, counts.closed_per_minute), (2, 1));
    assert_eq!(counts.failures.iter().map(|(_, count)| count).sum::<u64>(), 1);
    let thirty = Duration::from_secs(30);
    assert_eq!(
        counts.ages,
        Some(Ages {
            oldest: Age::exactly(thirty),
            median: Age::exactly(thirty),
            p90: Age::exactly(thirty)
        }),
        "since it was established"
    );
    let (median, p90) = counts.lifetimes.unwrap();
    for lifetime in [median, p90] {
        assert!((19.6..=20.4).contains(&lifetime.as_secs_f64()), "{lifetime:?}");
    }
}

#[test]
fn a_row_with_nothing_open_has_no_ages_and_one_that_never_closed_has_no_lifetimes() {
    let books = books();
    let (rows, _) = per_process(&books.ledger, at(60), 10);
    assert!(rows[0].counts.ages.is_some() && rows[0].counts.lifetimes.is_none());
    assert!(rows[4].counts.ages.is_none() && rows[4].counts.lifetimes.is_some());
}

proptest! {
    #[test]
    fn ages_are_of_what_the_process_holds_now(
        connections in vec((0..3_u32, 0..100_u64, any::<bool>(), any::<bool>()), 1..30),
    ) {
        let mut books = Books::new();
        let mut expected: HashMap<u32, Vec<Duration>> = HashMap::new();
        for ((pid, second, dies, released), id) in connections.into_iter().zip(1..) {
            books.tell(id, second, EventKind::Opened(opening(Direction::Inbound, pid, 7, 9090)));
            if dies {
                books.state(id, 100, StateChange::Closed { error: 0 });
            }
            let ages = expected.entry(pid).or_default();
            if released {
                books.release(id, 100, !dies);
            } else {
                ages.push(Duration::from_secs(100 - second));
            }
        }
        let (rows, all) = per_process(&books.ledger, at(100), 10);
        prop_assert_eq!((rows.len(), all), (expected.len(), expected.len()));
        prop_assert!(rows.is_sorted_by(|one, next| one.counts.tally.open >= next.counts.tally.open));
        for row in rows {
            let ages = expected.remove(&row.key.id.pid).unwrap();
            prop_assert_eq!(usize::try_from(row.counts.tally.open).unwrap(), ages.len());
            prop_assert_eq!(row.counts.ages, Ages::of(ages.into_iter().map(Age::exactly).collect()));
        }
    }
}
