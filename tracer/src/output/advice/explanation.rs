//! Healthy explanations: why they are ruled out, and what would rule them out.

use crate::{
    leak::evidence::{Explanation, Healthy, RuledOut},
    output::span,
};

/// `no warm-up: it grows as fast as it did, after 42m; ...`; `None` if there are none. What is left comes first: it is
/// why a finding is not confirmed.
pub fn words(explanations: &[Explanation]) -> Option<String> {
    let (ruled_out, left): (Vec<&Explanation>, _) = explanations
        .iter()
        .partition(|explanation| explanation.ruled_out.is_some());
    let left = left.into_iter().map(|explanation| possible(explanation.healthy));
    let ruled_out = ruled_out.into_iter().filter_map(|explanation| {
        let why = explanation.ruled_out?;
        Some(format!("{}: {}", negated(explanation.healthy), because(why)))
    });
    let words: Vec<String> = left.map(str::to_owned).chain(ruled_out).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// What speaks for it, and what is missing for [`Tier::Confirmed`](crate::leak::evidence::Tier::Confirmed).
const fn possible(healthy: Healthy) -> &'static str {
    match healthy {
        Healthy::WarmUp => "it may be a warm-up, until it has grown on for longer",
        Healthy::Pool => {
            "it may be a pool that grows with the load, until they prove unused, or more than a pool would hold"
        }
        Healthy::Diurnal => "it may be the time of day, until it has grown on for more than a day",
    }
}

const fn negated(healthy: Healthy) -> &'static str {
    match healthy {
        Healthy::WarmUp => "no warm-up",
        Healthy::Pool => "no pool that grows with the load",
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
