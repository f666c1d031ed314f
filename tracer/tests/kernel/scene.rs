//! What most scenarios need.

use std::{ffi::OsStr, time::Duration};

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    order::End,
    puppet::{Listener, Puppet, loopback, other_end},
    stream::{
        Counts,
        Direction::{Inbound, Outbound},
    },
    tracer_process::Tracer,
    witness::{self, Held},
};

/// Makes a tracer compare with the descriptor tables all the time.
pub const OFTEN: [&str; 2] = ["--reconcile", "500ms"];
/// So long that it has done that several times, also at the distance of a second that decides over a connection.
pub const SEVERAL_TIMES: Duration = Duration::from_millis(2500);

/// A client, a server at 127.0.0.1, and a tracer that watches them.
pub struct Scene {
    pub server: Puppet,
    pub client: Puppet,
    pub listener: Listener,
    pub tracer: Tracer,
}

impl Scene {
    pub fn set(context: &Context) -> anyhow::Result<Self> {
        Self::set_with(context, [""; 0])
    }

    /// The same with more arguments for the tracer.
    pub fn set_with(
        context: &Context,
        more: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> anyhow::Result<Self> {
        let mut server = Puppet::start("tt-server")?;
        let client = Puppet::start("tt-client")?;
        let listener = server.listen(loopback(1))?;
        let tracer = Tracer::start_with(context, &[listener.port()], more)?;
        Ok(Self {
            server,
            client,
            listener,
            tracer,
        })
    }

    /// So many connections: the client's ends, and the server's in the same order.
    pub fn connect(&mut self, count: usize) -> anyhow::Result<(Vec<End>, Vec<End>)> {
        let connected = self.client.connect(self.listener.address, count)?;
        let accepted = self.server.accept(self.listener, count)?;
        let others = connected
            .iter()
            .map(|end| other_end(end, &accepted).cloned())
            .collect::<anyhow::Result<_>>()?;
        Ok((connected, others))
    }

    /// So many opened and closed by the client, and by the server.
    pub fn truth(&self, client: (usize, usize), server: (usize, usize)) -> Ledger {
        self.of_counts(counts(client.0, client.1), counts(server.0, server.1))
    }

    /// These counts of the client and of the server.
    pub fn of_counts(&self, client: Counts, server: Counts) -> Ledger {
        let port = self.listener.port();
        Ledger::default()
            .both(&self.client, Outbound, loopback(1), port, client)
            .both(&self.server, Inbound, loopback(1), port, server)
    }

    /// Checks what the kernel lists as open or half closed by the peer.
    pub fn kernel_lists(&self, inbound: u64, outbound: u64) -> anyhow::Result<()> {
        let held = witness::held(self.listener.port())?;
        ensure!(held == Held { inbound, outbound }, "the kernel lists {held:?}");
        Ok(())
    }
}
