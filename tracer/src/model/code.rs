//! Which code opened what is still open, of some of the connections.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    connection::{Connection, Phase},
    ledger::Ledger,
    stack::{Frame, Missing, Opener, Trace},
};

/// Which code opened what is still open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Connections that were looked at: all that are open.
    pub open: u32,
    /// The stacks that opened most of them, those first.
    pub stacks: Vec<(Arc<Trace>, u32)>,
    /// Connections of other stacks.
    pub elsewhere: u32,
    /// Connections whose stack nobody knows, and why.
    pub unknown: BTreeMap<Missing, u32>,
    /// The place in the program itself that opened the most, and how many.
    pub culprit: Option<(Arc<Frame>, u32)>,
}

impl Code {
    /// Of those of these connections that are open; tells at most `limit` stacks.
    pub fn of(ledger: &Ledger, connections: impl Iterator<Item = Connection>, limit: usize) -> Self {
        let mut openers: HashMap<Opener, u32> = HashMap::new();
        let mut code = Self::default();
        for connection in connections.filter(|connection| is_open(connection.phase)) {
            *openers.entry(connection.stack).or_default() += 1;
            code.open += 1;
        }
        // Processes that run the same program open at the same place.
        let mut traces: HashMap<&Arc<Trace>, u32> = HashMap::new();
        let mut places: HashMap<Arc<Frame>, u32> = HashMap::new();
        for (opener, count) in openers {
            match ledger.trace_of(opener) {
                Ok(trace) => {
                    *traces.entry(trace).or_default() += count;
                    if let Some(frame) = trace.culprit() {
                        *places.entry(Arc::clone(frame)).or_default() += count;
                    }
                }
                Err(why) => *code.unknown.entry(why).or_default() += count,
            }
        }
        let mut stacks: Vec<(Arc<Trace>, u32)> = traces
            .into_iter()
            .map(|(trace, count)| (Arc::clone(trace), count))
            .collect();
        // Of two that opened as many, always the same comes first.
        stacks.sort_by(|(one, few), (other, many)| many.cmp(few).then_with(|| one.frames.cmp(&other.frames)));
        code.elsewhere = stacks.iter().skip(limit).map(|(_, count)| count).sum();
        stacks.truncate(limit);
        code.stacks = stacks;
        code.culprit = places
            .into_iter()
            .min_by(|(one, few), (other, many)| (Reverse(few), one).cmp(&(Reverse(many), other)));
        code
    }

    /// Whether anybody asked for stacks.
    pub fn was_asked(&self) -> bool {
        self.unknown.get(&Missing::NotAsked).copied().unwrap_or(0) < self.open
    }

    /// The place in the program itself that opened at least half of them, and how many.
    pub fn main_culprit(&self) -> Option<(&Frame, u32)> {
        let (frame, count) = self.culprit.as_ref()?;
        let is_main = u64::from(*count) * 2 >= u64::from(self.open);
        (is_main && !frame.is_gap()).then_some((frame.as_ref(), *count))
    }
}

/// Attempts too: of what does not get through one wants to know the code as well.
const fn is_open(phase: Phase) -> bool {
    phase.is_held() || matches!(phase, Phase::Connecting)
}
