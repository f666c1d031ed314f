//! When the descriptors of a world are used up, and what comes of connections after that.

use tracer::model::connection::Direction;

use crate::world::{Entrance, NEVER, World};

impl World {
    /// Finds out when descriptors are used up, and ends a leak's world there: nothing more can open.
    #[must_use]
    pub fn until_exhausted(mut self) -> Self {
        let Some(onset) = self.onset else {
            return self;
        };
        let mut leaking = vec![false; self.processes.len()];
        let mut changes = Vec::with_capacity(2 * self.connections.len());
        for connection in self
            .connections
            .iter()
            .filter(|connection| connection.has_descriptor())
        {
            if let Some(leaking) = leaking.get_mut(connection.process) {
                *leaking |= connection.leaks;
            }
            changes.push((connection.opened, 1_i64, connection.process));
            if connection.closed.is_finite() {
                changes.push((connection.closed, -1, connection.process));
            }
        }
        // At the same moment one closes before another opens.
        changes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut used: Vec<i64> = self.processes.iter().map(|process| process.base.into()).collect();
        let mut half: Vec<Option<i64>> = vec![None; used.len()];
        let mut full = vec![NEVER; used.len()];
        for (at, change, process) in changes {
            let (Some(true), Some(used), Some(half), Some(full), Some(limit)) = (
                leaking.get(process),
                used.get_mut(process),
                half.get_mut(process),
                full.get_mut(process),
                self.processes
                    .get(process)
                    .map(|process| i64::from(process.limit)),
            ) else {
                continue;
            };
            if at >= onset.max(0.0) {
                let half = *half.get_or_insert(if *used < limit / 2 {
                    limit / 2
                } else {
                    *used + (limit - *used) / 2
                });
                *used += change;
                if *used >= half {
                    self.half_used = self.half_used.min(at);
                }
                if *used >= limit {
                    *full = full.min(at);
                }
            } else {
                *used += change;
            }
        }
        self.exhausted = full.iter().copied().fold(NEVER, f64::min);
        let end = self
            .target
            .map_or(self.exhausted, |target| self.exhausted.max(onset + target.within));
        self.horizon = self.horizon.min(end);
        self.refuse(&full);
        self
    }

    /// Where a leak's world goes on although processes are `full`, what would open waits to be accepted until they end,
    /// or does not come about.
    fn refuse(&mut self, full: &[f64]) {
        let (processes, end) = (&self.processes, self.horizon);
        self.connections.retain_mut(|connection| {
            let (Some(process), Some(full)) =
                (processes.get(connection.process), full.get(connection.process))
            else {
                return true;
            };
            let is_refused = *full < connection.opened && connection.opened <= end;
            if is_refused && connection.direction == Direction::Inbound {
                connection.entrance = Entrance::Unaccepted;
                (connection.closed, connection.lost) = (process.ends, None);
            }
            !is_refused || connection.direction == Direction::Inbound
        });
    }
}
