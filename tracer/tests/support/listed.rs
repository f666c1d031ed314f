//! Lines of `tracer list` with values at the edges of what their types hold.

use tracer::output::record::{
    AgeBounds, Body, Descriptors, Direction, Holder, HolderCount, IdleRange, ListSummary, ListedConnection,
    ListedGroup, ListedKey, ListedListener, PhaseCounts, PhaseName, Process,
};

/// Of each type one with everything and one with as little as there can be.
pub fn extremes() -> Vec<Body> {
    let phases = [
        PhaseName::Connecting,
        PhaseName::Unaccepted,
        PhaseName::Open,
        PhaseName::HalfClosedRemote,
        PhaseName::HalfClosedLocal,
        PhaseName::DeadHeld,
    ];
    let states = phases.map(|phase| group(ListedKey::State { phase }, true));
    let mut bodies = vec![
        connection(PhaseName::DeadHeld, true),
        connection(PhaseName::Unaccepted, false),
        group(peer(), true),
        group(peer(), false),
        group(of_process(true), true),
        group(of_process(false), false),
        group(listener(true), true),
        group(listener(false), false),
        summary(),
    ];
    bodies.extend(states);
    bodies
}

fn process() -> Process {
    Process {
        pid: Some(u32::MAX),
        start_ns: u64::MAX.to_string(),
        comm: "\u{202e}\n\"\\\u{1b}\u{0}\u{fffd}".to_owned(),
        args: Vec::new(),
        unit: None,
        container: None,
        inner_pid: None,
    }
}

fn connection(phase: PhaseName, full: bool) -> Body {
    let holders = vec![
        Holder {
            process: process(),
            fd: Some(u32::MAX),
        },
        Holder {
            process: process(),
            fd: None,
        },
    ];
    Body::Connection(ListedConnection {
        direction: Direction::Inbound,
        local: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".to_owned(),
        peer: "0.0.0.0:0".to_owned(),
        service_port: u16::MAX,
        netns: full.then_some(u32::MAX),
        phase,
        given_up: full.then_some(true),
        listener: full.then_some(u64::MAX),
        inode: full.then_some(u64::MAX),
        age_at_least_seconds: f64::MAX,
        idle_seconds: full.then_some(f64::MIN_POSITIVE),
        sent_bytes: full.then(|| u64::MAX.to_string()),
        received_bytes: full.then(|| "0".to_owned()),
        holders: if full { holders } else { Vec::new() },
        holders_hidden: u64::MAX,
    })
}

fn peer() -> ListedKey {
    ListedKey::Peer {
        direction: Direction::Outbound,
        peer: "::".to_owned(),
        service_port: 0,
    }
}

fn of_process(full: bool) -> ListedKey {
    ListedKey::Process {
        process: process(),
        descriptors: full.then_some(Descriptors {
            used: u32::MAX,
            sockets: 0,
            limit: Some(u64::MAX),
            lasts_seconds: None,
        }),
    }
}

fn listener(full: bool) -> ListedKey {
    ListedKey::Listener {
        listener: full.then(|| ListedListener {
            inode: u64::MAX,
            local: "[::]:0".to_owned(),
            netns: u32::MAX,
            processes: vec![process(); 2],
            processes_hidden: u64::MAX,
            queued: u32::MAX,
            queue_limit: u32::MAX,
            oldest_wait_seconds: Some(f64::MAX),
        }),
    }
}

fn group(key: ListedKey, full: bool) -> Body {
    Body::Group(ListedGroup {
        key,
        connections: u64::MAX,
        phases: PHASES,
        age_at_least: full.then_some(AgeBounds {
            oldest: f64::MAX,
            median: 0.0,
        }),
        idle: full.then_some(IdleRange {
            least: 0.0,
            most: f64::MAX,
        }),
        netns: if full { vec![0, u32::MAX] } else { Vec::new() },
        netns_hidden: u64::MAX,
        holders: vec![HolderCount {
            process: process(),
            connections: u32::MAX,
        }],
        holders_hidden: u64::MAX,
    })
}

const PHASES: PhaseCounts = PhaseCounts {
    connecting: 0,
    unaccepted: u32::MAX,
    given_up: 1,
    open: u32::MAX,
    half_closed_remote: 0,
    half_closed_local: 1,
    dead_held: u32::MAX,
};

fn summary() -> Body {
    Body::ListSummary(ListSummary {
        connections: u64::MAX,
        phases: PHASES,
        listeners: 0,
        rows_hidden: u64::MAX,
        untracked: u64::MAX,
        undecided: u64::MAX,
        unread_unaccepted: u64::MAX,
        source: String::new(),
        degraded: vec![String::new(); 3],
    })
}
