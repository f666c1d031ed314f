//! Healthy explanations: why they are ruled out, and what would rule them out.

use crate::{
    leak::evidence::{Healthy, Leak, RuledOut, Tier},
    output::span,
};

/// What is left, and what is ruled out and why; `None` if there is nothing to say. What is left comes first: it is why a
/// finding is not confirmed.
pub fn words(leak: &Leak) -> Option<String> {
    let explanations = &leak.evidence.explanations;
    let mut parts: Vec<String> = explanations
        .iter()
        .filter(|explanation| explanation.ruled_out.is_none())
        .map(|explanation| possible(explanation.healthy).to_owned())
        .collect();
    if parts.is_empty() && !explanations.is_empty() && leak.tier == Tier::Suspected {
        parts.push(
            "nothing healthy is left, but one look has shown it so far: the next may confirm it".to_owned(),
        );
    }
    // Those with one reason in one breath.
    let mut reasons: Vec<(RuledOut, Vec<&str>)> = Vec::new();
    for explanation in explanations {
        let Some(why) = explanation.ruled_out else {
            continue;
        };
        let name = negated(explanation.healthy);
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    let reasons = reasons.into_iter();
    parts.extend(reasons.map(|(why, names)| format!("{}: {}", names.join(", "), because(why))));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What it may be, and what would rule that out.
const fn possible(healthy: Healthy) -> &'static str {
    match healthy {
        Healthy::WarmUp => "it may be a warm-up, until it has grown on for longer",
        Healthy::Pool => {
            "it may be a pool that grows with the load, until they prove unused or more than a pool would hold"
        }
        Healthy::Diurnal => "it may be the time of day, until it has grown on for more than a day",
    }
}

const fn negated(healthy: Healthy) -> &'static str {
    match healthy {
        Healthy::WarmUp => "no warm-up",
        Healthy::Pool => "no growing pool",
        Healthy::Diurnal => "not the time of day",
    }
}

fn because(why: RuledOut) -> String {
    match why {
        RuledOut::StillGrowing(span) => format!("it grows as fast as it did, after {}", span::human(span)),
        RuledOut::Unused => "they are not used".to_owned(),
        RuledOut::Useless => "their peers are gone".to_owned(),
        RuledOut::Beat => "they come in a beat that load does not have".to_owned(),
        RuledOut::LongerThanADay => "it went on for more than a day".to_owned(),
        RuledOut::ShareOfLimit(percent) => {
            format!("nobody keeps {percent} % of the limit on purpose")
        }
        RuledOut::Again => "it came again, after a restart or after all had closed".to_owned(),
        RuledOut::TooFast => "it is too fast for that".to_owned(),
    }
}
