//! What is remembered of connections that their processes let go.

use crate::model::{
    connection::ConnectionId,
    event::{EndCause, Event, EventKind},
};

/// As many records as the kernel's CPUs may get out of order, and many more.
const REMEMBERED: usize = 1024;

/// The connections that were released last, each in the place that its number gives it. A release is the last that the
/// kernel side tells of a connection, unless another CPU was about to tell of a change.
pub struct Released(Box<[ConnectionId; REMEMBERED]>);

impl Default for Released {
    fn default() -> Self {
        Self::new()
    }
}

impl Released {
    /// Nothing was released yet: no connection has the number 0.
    pub fn new() -> Self {
        Self(Box::new([ConnectionId(0); REMEMBERED]))
    }

    /// Whether this is a change that comes after the release of its connection, and tells nothing.
    pub fn outdates(&self, event: &Event) -> bool {
        matches!(event.kind, EventKind::State(_)) && self.0.get(place(event.id)) == Some(&event.id)
    }

    /// The end that this event brings besides what it says.
    pub fn end_after(&mut self, event: &Event) -> Option<Event> {
        if !matches!(event.kind, EventKind::Released { .. }) {
            return None;
        }
        if let Some(last) = self.0.get_mut(place(event.id)) {
            *last = event.id;
        }
        Some(Event {
            kind: EventKind::Ended(EndCause::Destroyed),
            ..*event
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the remainder is below the number of places"
)]
fn place(id: ConnectionId) -> usize {
    (id.0 % REMEMBERED as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{event::StateChange, time::Time};

    fn event(id: u64, kind: EventKind) -> Event {
        Event {
            at: Time(id),
            id: ConnectionId(id),
            kind,
        }
    }

    #[test]
    fn a_released_connection_ends_and_what_comes_late_is_outdated() {
        let mut released = Released::new();
        let late = |id| event(id, EventKind::State(StateChange::PeerClosed));
        let end = |id| event(id, EventKind::Ended(EndCause::Destroyed));
        assert!(!released.outdates(&late(7)));
        let release = event(7, EventKind::Released { connected: true });
        assert_eq!(released.end_after(&release), Some(end(7)));
        assert!(released.outdates(&late(7)));
        assert!(!released.outdates(&late(7 + REMEMBERED as u64)), "another");
        assert!(!released.outdates(&end(7)), "no change of state");
        assert_eq!(released.end_after(&late(8)), None, "not released");
    }
}
