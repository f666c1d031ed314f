//! A stalled server as a record.

use super::{described, held_group, seconds, status};
use crate::{
    leak::finding::{Finding, Queue, Stalled},
    model::snapshot,
    output::{
        advice::Advice,
        circumstances::Circumstances,
        record::{Descriptors, Sender, Stall},
    },
};

pub(super) fn stall(
    finding: &Finding,
    stalled: &Stalled,
    circumstances: &Circumstances<'_>,
    advice: Advice,
) -> Stall {
    let Stalled {
        listener,
        local,
        holders,
        holders_at_limit,
        at_limit,
        descriptors,
        held,
        queue,
        peak,
        stuck_for,
        since,
    } = stalled;
    let Queue {
        length,
        limit,
        waited,
        examined,
        given_up,
        peers,
        elsewhere,
    } = queue;
    let (status, resolution) = status(finding.stage);
    Stall {
        id: finding.id.to_string(),
        status,
        process: described(finding.process, finding.comm, circumstances.info),
        holders: *holders,
        holders_at_limit: *holders_at_limit,
        at_limit: *at_limit,
        descriptors: descriptors.as_ref().map(table),
        held: held.iter().map(held_group).collect(),
        listener: listener.0,
        local: local.to_string(),
        netns: finding.netns.unwrap_or_default(),
        queued: *length,
        peak: *peak,
        queue_limit: *limit,
        queue_full: queue.is_full(),
        oldest_wait_seconds: seconds(*waited),
        stuck_seconds: seconds(*stuck_for),
        examined: *examined,
        given_up: *given_up,
        peers: peers
            .iter()
            .map(|(peer, waiting)| Sender {
                peer: peer.to_string(),
                waiting: *waiting,
            })
            .collect(),
        elsewhere: *elsewhere,
        since: circumstances.wall.rfc3339(*since),
        resolution,
        confidence: circumstances.confidence.clone(),
        advice: advice.one_line(),
        meaning: advice.meaning,
    }
}

fn table(descriptors: &snapshot::Descriptors) -> Descriptors {
    Descriptors {
        used: descriptors.used,
        sockets: descriptors.sockets,
        // A number that every reader holds: `sysctl_nr_open` bounds it (`do_prlimit`, kernel/sys.c).
        limit: descriptors.limit,
        lasts_seconds: None,
    }
}
