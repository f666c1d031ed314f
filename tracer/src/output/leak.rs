//! What several outputs ask of a leak.

use crate::{
    leak::evidence::{Evidence, Leak, Scope, Silence},
    model::connection::Direction,
};

/// Periods that are shown: more than any rule has.
const PERIODS: usize = 16;

/// The survivors of the periods that are shown, the newest of them.
pub fn survivors(evidence: &Evidence) -> &[u32] {
    let survivors = &evidence.survivors;
    survivors
        .get(survivors.len().saturating_sub(PERIODS)..)
        .unwrap_or_default()
}

/// How many are unused, where that says anything: in no time nothing is sent.
pub fn silence(evidence: &Evidence) -> Option<Silence> {
    evidence.silence.filter(|silence| !silence.span.is_zero())
}

/// The service port, where all of them use the same.
pub fn service_port(leak: &Leak) -> Option<u16> {
    match &leak.scope {
        Scope::Group(group) => Some(group.service_port),
        Scope::Process { .. } => None,
        // The scope counts ports; a sample has the number.
        Scope::Peer { ports, .. } => {
            leak.samples
                .first()
                .filter(|_| *ports == 1)
                .map(|sample| match leak.scope.direction() {
                    Direction::Outbound => sample.peer.port(),
                    Direction::Inbound => sample.local.port(),
                })
        }
    }
}
