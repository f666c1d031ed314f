//! From decoded events to the books.

use super::{released::Released, shorts::Shorts};
use crate::model::{event::Event, fact::Fact, ledger::Ledger};

/// What events go through on their way.
pub struct Intake {
    released: Released,
    /// `None` if somebody wants to know of each connection.
    shorts: Option<Shorts>,
}

impl Intake {
    /// Each connection enters the books by itself, as a journal needs it.
    pub fn one_by_one() -> Self {
        Self {
            released: Released::new(),
            shorts: None,
        }
    }

    /// Those that are over by the end of a look are counted together.
    pub fn together() -> Self {
        Self {
            released: Released::new(),
            shorts: Some(Shorts::new()),
        }
    }

    /// Takes in an event. It may be in the books only after [`settle`](Self::settle).
    pub fn take(&mut self, event: &Event, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        if self.released.outdates(event) {
            return;
        }
        let end = self.released.end_after(event);
        let shorts = self.shorts.as_mut();
        if shorts.is_some_and(|shorts| shorts.take(event, ledger, facts)) {
            return;
        }
        ledger.apply(event, facts);
        if let Some(end) = end {
            ledger.apply(&end, facts);
        }
    }

    /// Ends a look: all that was taken in is in the books.
    pub fn settle(&mut self, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        if let Some(shorts) = &mut self.shorts {
            shorts.settle(ledger, facts);
        }
    }
}
