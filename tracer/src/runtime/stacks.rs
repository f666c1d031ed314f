//! The stacks of live tracing: kept, looked up, forgotten.

use std::{thread, time::Duration};

use log::{debug, warn};

use crate::{
    analysis::Analysis,
    bpf::session::Session,
    clock::boot_time,
    ingest::stack::RawStack,
    model::time::Time,
    symbols::{client::Client, keeper::Keeper},
};

/// So many connections are looked at every second; more of them less often.
const AT_ONCE: usize = 20_000;
/// How often the last answers are asked for.
const PAUSE: Duration = Duration::from_millis(10);

/// The stacks.
pub struct Stacks {
    keeper: Keeper,
    client: Option<Client>,
    /// Questions without an answer.
    asked: usize,
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
            asked: 0,
            next: Time(0),
        }
    }

    /// Takes one in.
    pub fn take(&mut self, stack: RawStack) {
        self.keeper.take(stack);
    }

    /// Enters what was found out, asks what should be, and forgets what is not needed. To be called once a second.
    pub fn tick(&mut self, analysis: &mut Analysis, session: &mut Session, now: Time) {
        self.take_answers(analysis, session, now);
        if now < self.next {
            return;
        }
        let rounds = analysis.ledger().total().open as usize / AT_ONCE;
        self.next = now + Duration::from_secs(u64::try_from(rounds).unwrap_or(u64::MAX).min(60));
        let sweep = self.keeper.sweep(&analysis.ledger().open_by_stack(), now);
        self.ask(sweep.look_up);
        for id in sweep.forget {
            session.stacks().forget(id);
        }
        if sweep.dropped {
            let keeper = &self.keeper;
            analysis.change(|ledger, _| ledger.retain_stacks(|id| keeper.knows(id)));
        }
    }

    /// Looks up every stack that has something open, and waits for that, but no longer than until then.
    pub fn look_all_up(&mut self, analysis: &mut Analysis, session: &mut Session, until: Time) {
        let open = analysis.ledger().open_by_stack();
        while boot_time() < until {
            self.take_answers(analysis, session, boot_time());
            let rest = self.keeper.not_asked(&open);
            if self.client.is_none() || (self.asked == 0 && rest.is_empty()) {
                break;
            }
            self.ask(rest);
            thread::sleep(PAUSE);
        }
    }

    fn ask(&mut self, stacks: Vec<RawStack>) {
        for stack in stacks {
            let id = stack.id;
            if self.client.as_ref().is_some_and(|client| client.ask(stack)) {
                self.asked += 1;
            } else {
                self.keeper.ask_again(id);
            }
        }
    }

    fn take_answers(&mut self, analysis: &mut Analysis, session: &mut Session, now: Time) {
        while let Some(answer) = self.client.as_ref().and_then(Client::answer) {
            self.asked = self.asked.saturating_sub(1);
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
    }
}
