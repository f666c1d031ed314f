//! A process that nears its descriptor limit, as a record.

use super::{described, held_group, seconds, status};
use crate::{
    leak::{
        evidence::{Exhaustion, Leak},
        finding::Finding,
    },
    output::{
        advice::Advice,
        circumstances::Circumstances,
        record::{Descriptors, Limit},
    },
};

pub(super) fn limit(
    finding: &Finding,
    exhaustion: &Exhaustion,
    circumstances: &Circumstances<'_>,
    advice: Advice,
) -> Limit {
    let Exhaustion {
        used,
        sockets,
        peak,
        since,
        limit,
        lasts,
        groups,
    } = exhaustion;
    let (status, resolution) = status(finding.stage);
    Limit {
        id: finding.id.to_string(),
        status,
        process: described(finding.process, finding.comm, circumstances.info),
        descriptors: Descriptors {
            used: *used,
            sockets: *sockets,
            limit: Some(*limit),
            lasts_seconds: lasts.map(seconds),
        },
        peak: *peak,
        held: groups.iter().take(Leak::MEMBERS).map(held_group).collect(),
        since: circumstances.wall.rfc3339(*since),
        resolution,
        confidence: circumstances.confidence.clone(),
        advice: advice.one_line(),
        meaning: advice.meaning,
    }
}
