//! What was seen, one line each.

use super::none_or;
use crate::{
    leak::evidence::{Basis, Cadence, Leak, Sample, Scope, Silence},
    model::connection::{Direction, ProcessId},
    output::{advice::is_process, leak::survivors, span, table, text},
};

/// `of those opened in 6 periods of 7m, still open: 13, 15, 14, 14, 13, 15; of 84 that old none closed`; `None` if the
/// basis knows no periods.
pub(super) fn kept(leak: &Leak) -> Option<String> {
    let evidence = &leak.evidence;
    let survivors = survivors(evidence);
    if survivors.is_empty() {
        return None;
    }
    let (born, kept) = match leak.basis {
        Basis::PeerGone { .. } => ("of those whose peer went", "still held"),
        _ => ("of those opened", "still open"),
    };
    let periods = match survivors.len() {
        1 => "1 period".to_owned(),
        periods => format!("{periods} periods"),
    };
    let counts: Vec<String> = survivors.iter().map(u32::to_string).collect();
    Some(format!(
        "{born} in {periods} of {}, {kept}: {}; of {} that old {} closed",
        span::human(evidence.period),
        counts.join(", "),
        evidence.matured,
        none_or(evidence.left)
    ))
}

/// `3 every 30s, 28 times in a row`.
pub(super) fn beat(cadence: Cadence) -> String {
    let Cadence { burst, every, bursts } = cadence;
    format!("{burst} every {}, {bursts} times in a row", span::human(every))
}

/// `80 of the 84 looked at have carried nothing for 1h`.
pub(super) fn idle(silence: Silence) -> String {
    let Silence { silent, of, span } = silence;
    format!(
        "{silent} of the {of} looked at have carried nothing for {}",
        span::human(span)
    )
}

/// The peers or processes with the most of them; `None` for a group, which has one of each.
pub(super) fn members(scope: &Scope) -> Option<String> {
    let (named, count, all, what) = match scope {
        Scope::Group(_) => return None,
        Scope::Process { most, peers, .. } => (table::peer_counts(most), most.len(), *peers, "peers"),
        Scope::Peer { most, processes, .. } => {
            let counts = most
                .iter()
                .map(|(id, comm, count)| format!("{} ({count})", text::process(*id, *comm)));
            let named = counts.collect::<Vec<_>>().join(", ");
            (named, most.len(), *processes, "processes")
        }
    };
    let rest = u64::from(all).saturating_sub(count as u64);
    match (count, rest) {
        (0, _) => None,
        (_, 0) => Some(named),
        (_, rest) => Some(format!("{named}, and {rest} more {what}")),
    }
}

/// `10.0.0.1:40112 -> 10.0.0.7:9090, 42m old, open, silent for 42m`.
pub(super) fn samples(leak: &Leak) -> impl Iterator<Item = String> + '_ {
    let samples = leak.samples.iter().take(Leak::SAMPLES);
    samples.map(|sample| line(sample, &leak.scope))
}

fn line(sample: &Sample, scope: &Scope) -> String {
    let Sample {
        local,
        peer,
        age,
        phase,
        silent_for,
        ..
    } = sample;
    let arrow = match scope.direction() {
        Direction::Outbound => "->",
        Direction::Inbound => "<-",
    };
    let silent = silent_for.map_or_else(String::new, |span| format!(", silent for {}", span::human(span)));
    let holder = match (scope, sample.process) {
        (Scope::Peer { .. }, ProcessId { pid, .. }) if is_process(sample.process) => {
            format!(", of process {pid}")
        }
        _ => String::new(),
    };
    format!(
        "{local} {arrow} {peer}, {} old, {}{silent}{holder}",
        table::age(*age),
        phase.name()
    )
}
