//! The stacks of live tracing: kept, looked up, forgotten.

use std::time::Duration;

use log::{debug, warn};

use crate::{
    analysis::Analysis,
    bpf::session::Session,
    ingest::stack::RawStack,
    model::time::Time,
    symbols::{client::Client, keeper::Keeper},
};

/// So many connections are looked at every second; more of them less often.
const AT_ONCE: usize = 20_000;

/// The stacks.
pub struct Stacks {
    keeper: Keeper,
    client: Option<Client>,
    next: Time,
}

impl Stacks {
    /// Knows none; the kernel's table has so many entries.
    pub fn new(capacity: u32) -> Self {
        let client = Client::start();
        if let Err(error) = &client {
            warn!("stacks cannot be looked up: {error}");
        }
        Self {
            keeper: Keeper::new(capacity),
            client: client.ok(),
            next: Time(0),
        }
    }

    /// Takes one in.
    pub fn take(&mut self, stack: RawStack) {
        self.keeper.take(stack);
    }

    /// Enters what was found out, asks what should be, and forgets what is not needed. To be called once a second.
    pub fn tick(&mut self, analysis: &mut Analysis, session: &mut Session, now: Time) {
        while let Some(answer) = self.client.as_ref().and_then(Client::answer) {
            if let Some(learned) = answer.learned {
                session.stacks().set_slot(learned.address, learned.slot);
            }
            if let Some(why) = answer.why {
                debug!("a stack is not known: {why}");
                self.keeper.learn_again();
            }
            let Some(stack) = answer.stack else { continue };
            let (id, trace) = (stack.id, stack.into_trace());
            if analysis.change(|ledger, _| ledger.learn_stack(id, trace.clone()))
                && let Some((journal, _)) = analysis.journal()
            {
                journal.stack(id, &trace, now);
            }
        }
        if now < self.next {
            return;
        }
        let rounds = analysis.ledger().total().open as usize / AT_ONCE;
        self.next = now + Duration::from_secs(u64::try_from(rounds).unwrap_or(u64::MAX).min(60));
        let sweep = self.keeper.sweep(&analysis.ledger().open_by_stack(), now);
        for stack in sweep.look_up {
            let id = stack.id;
            if !self.client.as_ref().is_some_and(|client| client.ask(stack)) {
                self.keeper.ask_again(id);
            }
        }
        for id in sweep.forget {
            session.stacks().forget(id);
        }
        if sweep.dropped {
            let keeper = &self.keeper;
            analysis.change(|ledger, _| ledger.retain_stacks(|id| keeper.knows(id)));
        }
    }
}
