//! All that is open, at the beginning of a file: whoever has this file alone can replay it.

use super::{Journal, moment, nanos_since, opened, why_no_stack};
use crate::{
    model::{
        connection::{Connection, ConnectionId, Phase},
        ledger::Ledger,
        stack::Missing,
        time::Time,
    },
    recording::written::{Nanos, Opened, State, Written},
};

impl Journal {
    /// Tells what is open.
    pub fn state(&mut self, ledger: &Ledger, now: Time) {
        let mut connections: Vec<(ConnectionId, Connection)> = ledger.connections().collect();
        connections.sort_unstable_by_key(|(id, _)| *id);
        let (ts, _) = self.stamp(now);
        for (id, trace) in ledger.traces() {
            self.stack(id, &trace, now);
        }
        for (id, connection) in &connections {
            self.stands(ts, *id, connection, ledger);
        }
        self.write(&Written::State(State {
            ts: Nanos(ts),
            open: ledger.total().open,
        }));
    }

    fn stands(&mut self, ts: Time, id: ConnectionId, connection: &Connection, ledger: &Ledger) {
        match connection.phase {
            Phase::Released => return,
            Phase::Unaccepted { given_up } => {
                self.waiting(id, connection, connection.opened, ledger);
                if given_up {
                    self.turned(id, connection.opened, connection.phase, ledger);
                }
                return;
            }
            Phase::Failed(error) => {
                let process = self.introduce_owner(connection, ts, ledger);
                self.write(&Written::Connecting(Opened {
                    preexisting: true,
                    no_stack: why_no_stack(connection, Missing::Older),
                    age: Some(nanos_since(ts, connection.opened)),
                    ..opened(ts, id, process, connection)
                }));
                let late = nanos_since(ts, connection.phase_since);
                return self.failed(&moment(ts, late, id), connection, error);
            }
            Phase::Connecting
            | Phase::Open
            | Phase::HalfClosedRemote
            | Phase::HalfClosedLocal
            | Phase::DeadHeld => {
                self.found(ts, id, (connection, connection.phase), ledger);
            }
        }
        self.carried(id, connection);
    }
}
