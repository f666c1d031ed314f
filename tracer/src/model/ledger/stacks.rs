//! Which code opened what is open: the stacks that were looked up.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::Ledger;
use crate::model::{
    connection::Phase,
    stack::{Frame, Missing, Opener, StackId, Trace},
};

/// Stacks that are kept for people. Those beyond are not looked up; of what is open in so many ways nobody reads more.
const TRACES: usize = 4096;

/// What is known of stacks.
#[derive(Default)]
pub(in crate::model) struct Stacks {
    traces: HashMap<StackId, Arc<Trace>>,
    /// Every frame once: the outer ones of one program are the same in all of its stacks.
    frames: HashSet<Arc<Frame>>,
}

impl Ledger {
    /// Notes what a stack looks like; says whether there was room.
    pub fn learn_stack(&mut self, id: StackId, mut trace: Trace) -> bool {
        if self.stacks.traces.len() >= TRACES && !self.stacks.traces.contains_key(&id) {
            let open = self.open_by_stack();
            self.retain_stacks(|id| open.contains_key(&id));
            if self.stacks.traces.len() >= TRACES {
                return false;
            }
        }
        let Stacks { traces, frames } = &mut self.stacks;
        for frame in &mut trace.frames {
            if let Some(known) = frames.get(frame) {
                *frame = Arc::clone(known);
            } else {
                frames.insert(Arc::clone(frame));
            }
        }
        traces.insert(id, Arc::new(trace));
        true
    }

    /// What a stack looks like, if that is known.
    pub fn trace(&self, id: StackId) -> Option<&Arc<Trace>> {
        self.stacks.traces.get(&id)
    }

    /// What the stack of an opener looks like.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn trace_of(&self, opener: Opener) -> Result<&Arc<Trace>, Missing> {
        self.trace(opener.stack()?).ok_or(Missing::NotLookedUp)
    }

    /// The stacks whose looks are known, in their order.
    pub fn traces(&self) -> Vec<(StackId, Arc<Trace>)> {
        let traces = self.stacks.traces.iter();
        let mut traces: Vec<_> = traces.map(|(id, trace)| (*id, Arc::clone(trace))).collect();
        traces.sort_unstable_by_key(|(id, _)| *id);
        traces
    }

    /// How many connections that are held, or attempted, each stack has opened. Looks at every connection there is.
    pub fn open_by_stack(&self) -> HashMap<StackId, u32> {
        let mut counts = HashMap::new();
        for record in self
            .connections
            .iter()
            .filter(|record| record.phase != Phase::Released)
        {
            if let Ok(id) = record.stack.stack() {
                *counts.entry(id).or_default() += 1;
            }
        }
        counts
    }

    /// Forgets what stacks look like of which nothing is open.
    pub fn retain_stacks(&mut self, keep: impl Fn(StackId) -> bool) {
        let Stacks { traces, frames } = &mut self.stacks;
        let before = traces.len();
        traces.retain(|id, _| keep(*id));
        if traces.len() < before {
            // Ours is one reference.
            frames.retain(|frame| Arc::strong_count(frame) > 1);
        }
    }
}
