//! A process that nears its descriptor limit.

use std::time::Duration;

use super::{
    advise, certainty, how,
    lines::{labelled, paragraph},
    moment, tell_process,
};
use crate::{
    leak::{
        evidence::Exhaustion,
        finding::{Finding, Resolution},
    },
    model::time::Time,
    output::{circumstances::Circumstances, span, table},
};

pub(super) fn tell(
    text: &mut String,
    finding: &Finding,
    exhaustion: &Exhaustion,
    circumstances: &Circumstances<'_>,
) {
    let Circumstances { wall, now, .. } = *circumstances;
    let Exhaustion {
        sockets,
        since,
        lasts,
        groups,
        ..
    } = exhaustion;
    let lasts = match lasts {
        None => ", and their number does not grow".to_owned(),
        Some(Duration::ZERO) => ", none left".to_owned(),
        Some(lasts) => format!(", all in {} at this rate", span::human(*lasts)),
    };
    paragraph(
        text,
        &format!(
            "{} in use, {sockets} of them TCP sockets{lasts}; it began {}",
            of_limit(exhaustion),
            moment(wall, now, *since)
        ),
    );
    if !groups.is_empty() {
        labelled(text, "holds:", &table::peer_counts(groups));
    }
    tell_process(text, circumstances);
    advise(text, finding, circumstances);
    let degraded = certainty::degraded(&circumstances.confidence);
    labelled(
        text,
        "sure?",
        &format!("counted in the descriptor table of the process{degraded}"),
    );
}

/// `there is room again: 300 of 1024 descriptors, 900 at the peak; it lasted 6m`.
pub(super) fn ending(exhaustion: &Exhaustion, resolution: Resolution, now: Time) -> String {
    let Exhaustion { peak, since, .. } = exhaustion;
    format!(
        "{}: {}, {peak} at the peak; it lasted {}",
        how(resolution),
        of_limit(exhaustion),
        span::human(now.since(*since))
    )
}

pub(super) fn title(exhaustion: &Exhaustion) -> &'static str {
    match exhaustion.lasts {
        Some(Duration::ZERO) => "NO DESCRIPTORS LEFT",
        _ => "DESCRIPTORS RUN OUT",
    }
}

/// `840 of 1024 descriptors`.
fn of_limit(exhaustion: &Exhaustion) -> String {
    let Exhaustion { used, limit, .. } = exhaustion;
    format!("{used} of {limit} descriptors")
}
