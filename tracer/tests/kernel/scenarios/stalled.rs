//! Servers that let nobody in: clients see their connect succeed, and then nothing.

use anyhow::{Context as _, ensure};

use crate::{
    context::Context,
    puppet::{Listener, Puppet, at, loopback},
    scene::OFTEN,
    stream::{Direction::Inbound, HeldGroup, Sender, Stall},
    tracer_process::Tracer,
    witness,
};

/// As in the founding incident, on a small scale.
const LIMIT: u64 = 64;
const BACKLOG: i32 = 20;

/// A server with a queue of its own, and two clients: many connections of 127.0.0.2, one of 127.0.0.3.
struct Queue {
    server: Puppet,
    many: Puppet,
    one: Puppet,
    listener: Listener,
    tracer: Tracer,
}

impl Queue {
    fn set(context: &Context) -> anyhow::Result<Self> {
        let mut server = Puppet::start("tt-server")?;
        let listener = server.bind(loopback(1))?;
        server.listen_at(listener, BACKLOG)?;
        Ok(Self {
            server,
            many: Puppet::start("tt-many")?,
            one: Puppet::start("tt-one")?,
            listener,
            tracer: Tracer::start_with(
                context,
                &[listener.port()],
                OFTEN.into_iter().chain(["--stall-wait", "1s"]),
            )?,
        })
    }

    /// So many wait, and one more.
    fn fill(&mut self, many: usize) -> anyhow::Result<()> {
        self.many.connect_from(at(2, 0), self.listener.address, many)?;
        self.one.connect_from(at(3, 0), self.listener.address, 1)?;
        Ok(())
    }

    /// The finding, which must name the server, its queue and who fills it.
    fn stall(&mut self, many: u64, one: u64) -> anyhow::Result<Stall> {
        let stall = self.tracer.next_stall()?;
        ensure!(stall.status == "opened", "{stall:?}");
        ensure!(stall.process == (&self.server).into(), "{stall:?}");
        ensure!(stall.local == self.listener.address.to_string(), "{stall:?}");
        let length = (stall.queued, stall.queue_limit);
        ensure!(length == (many + one, u64::try_from(BACKLOG)?), "{stall:?}");
        let senders = [(2, many), (3, one)].map(|(host, waiting)| Sender {
            peer: loopback(host).to_string(),
            waiting,
        });
        ensure!(stall.peers == senders, "{stall:?}");
        Ok(stall)
    }

    /// The server goes on, and the finding is over.
    fn resolve(mut self, opened: &Stall) -> anyhow::Result<()> {
        let resolved = loop {
            let stall = self.tracer.next_stall()?;
            if stall.status != "updated" {
                break stall;
            }
        };
        let same = resolved.id == opened.id && resolved.status == "resolved";
        ensure!(same, "{resolved:?} after {opened:?}");
        let last = self.tracer.stop()?;
        let opened = last.heard.stalls.iter().filter(|stall| stall.status == "opened");
        ensure!(opened.count() == 1, "{:?}", last.heard.stalls);
        last.summary.books.are_clean()
    }
}

/// At its limit of descriptors; the finding says so, and what fills the table.
pub fn stalled_at_limit(context: &Context) -> anyhow::Result<()> {
    let mut queue = Queue::set(context)?;
    queue.server.limit_descriptors(LIMIT)?;
    // More than there are descriptors for, in steps that the queue holds.
    let mut accepted = Vec::new();
    for _ in 0..5 {
        queue.many.connect_from(at(2, 0), queue.listener.address, 10)?;
        accepted.extend(queue.server.accept(queue.listener, 10)?);
    }
    queue.fill(14)?;
    accepted.extend(queue.server.accept_until_full(queue.listener)?);
    let (taken, made) = (accepted.len(), 50 + 14);
    ensure!((50..made).contains(&taken), "{taken} of {made} were accepted");
    let many = u64::try_from(made - taken)?;

    let stall = queue.stall(many, 1)?;
    let table = stall.descriptors.context("no descriptors")?;
    // More than the limit, if the one who started the tests left some of higher numbers.
    let used = witness::descriptors(queue.server.pid())?;
    ensure!(
        stall.at_limit && table.limit == Some(LIMIT) && table.used == used,
        "{stall:?}"
    );
    let held = HeldGroup {
        direction: Inbound,
        peer: loopback(2).to_string(),
        service_port: queue.listener.port(),
        open: u64::try_from(taken)?,
    };
    ensure!(stall.held == [held], "{stall:?}");
    queue.server.close(&accepted)?;
    queue.server.accept(queue.listener, made - taken + 1)?;
    queue.resolve(&stall)
}

/// It just does not accept, though it could.
pub fn stalled_idle(context: &Context) -> anyhow::Result<()> {
    let mut queue = Queue::set(context)?;
    queue.fill(9)?;
    let stall = queue.stall(9, 1)?;
    let table = stall.descriptors.context("no descriptors")?;
    ensure!(
        !stall.at_limit && table.used < LIMIT && table.limit != Some(table.used),
        "{stall:?}"
    );
    queue.server.accept(queue.listener, 10)?;
    queue.resolve(&stall)
}
