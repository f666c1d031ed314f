//! What a test program can be told, one method per order; each waits for the answer.

use std::{
    fs,
    net::{IpAddr, SocketAddr, SocketAddrV4},
};

use anyhow::bail;

use super::{Listener, Puppet, ids};
use crate::{
    order::{End, Kind, Order, Reply},
    stream::Process,
};

/// Connections that the kernel may complete before they are accepted.
const BACKLOG: i32 = 4096;

impl Puppet {
    /// Moves to a network namespace of its own.
    pub fn isolate(&mut self) -> anyhow::Result<()> {
        self.ask(&Order::Isolate).map(drop)
    }

    /// The next program that it starts is the first of a PID namespace.
    pub fn isolate_children(&mut self) -> anyhow::Result<()> {
        self.ask(&Order::IsolateChildren).map(drop)
    }

    /// Runs a command where the program is.
    pub fn run(&mut self, command: &[&str]) -> anyhow::Result<()> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        self.ask(&Order::Run { command }).map(drop)
    }

    /// A port of its own where nobody listens.
    pub fn bind(&mut self, address: impl Into<IpAddr>) -> anyhow::Result<Listener> {
        self.bind_at(SocketAddr::new(address.into(), 0))
    }

    /// This port, where nobody listens.
    pub fn bind_at(&mut self, address: SocketAddr) -> anyhow::Result<Listener> {
        self.bind_kind(address, Kind::Plain)
    }

    /// The same for another kind of socket.
    pub fn bind_kind(&mut self, address: SocketAddr, kind: Kind) -> anyhow::Result<Listener> {
        let end = self.ask_one(&Order::Bind { address, kind })?;
        Ok(Listener {
            socket: end.id,
            address: end.local,
        })
    }

    /// Lets connections in at a bound port.
    pub fn listen_at(&mut self, listener: Listener, backlog: i32) -> anyhow::Result<()> {
        let socket = listener.socket;
        self.ask(&Order::Listen { socket, backlog }).map(drop)
    }

    /// Lets connections in at a port of its own.
    pub fn listen(&mut self, address: impl Into<IpAddr>) -> anyhow::Result<Listener> {
        let listener = self.bind(address)?;
        self.listen_at(listener, BACKLOG)?;
        Ok(listener)
    }

    pub fn accept(&mut self, listener: Listener, count: usize) -> anyhow::Result<Vec<End>> {
        self.ask(&Order::Accept {
            listener: listener.socket,
            count,
        })
    }

    /// Takes connections until no descriptor is left.
    pub fn accept_until_full(&mut self, listener: Listener) -> anyhow::Result<Vec<End>> {
        let listener = listener.socket;
        self.ask(&Order::AcceptUntilFull { listener })
    }

    pub fn connect(&mut self, to: SocketAddr, count: usize) -> anyhow::Result<Vec<End>> {
        self.ask(&Order::Connect {
            to,
            from: None,
            count,
        })
    }

    pub fn connect_from(
        &mut self,
        from: SocketAddrV4,
        to: SocketAddr,
        count: usize,
    ) -> anyhow::Result<Vec<End>> {
        let from = Some(from.into());
        self.ask(&Order::Connect { to, from, count })
    }

    pub fn connect_in_thread(
        &mut self,
        name: &str,
        to: SocketAddr,
        count: usize,
    ) -> anyhow::Result<Vec<End>> {
        let name = name.to_owned();
        self.ask(&Order::ConnectInThread { name, to, count })
    }

    /// Connects with data in the SYN.
    pub fn connect_fast(&mut self, to: SocketAddr) -> anyhow::Result<End> {
        self.ask_one(&Order::ConnectFast { to })
    }

    pub fn attempt(&mut self, to: SocketAddr) -> anyhow::Result<End> {
        self.ask_one(&Order::Attempt {
            to,
            nonblocking: false,
        })
    }

    pub fn attempt_nonblocking(&mut self, to: SocketAddr) -> anyhow::Result<End> {
        self.ask_one(&Order::Attempt {
            to,
            nonblocking: true,
        })
    }

    pub fn retry(&mut self, end: &End, to: SocketAddr) -> anyhow::Result<End> {
        self.ask_one(&Order::Retry { socket: end.id, to })
    }

    pub fn disconnect(&mut self, end: &End) -> anyhow::Result<()> {
        self.ask(&Order::Disconnect { socket: end.id }).map(drop)
    }

    pub fn shut_down(&mut self, ends: &[End]) -> anyhow::Result<()> {
        self.ask(&Order::ShutDown { sockets: ids(ends) }).map(drop)
    }

    pub fn reset(&mut self, ends: &[End]) -> anyhow::Result<()> {
        self.ask(&Order::Reset { sockets: ids(ends) }).map(drop)
    }

    pub fn close(&mut self, ends: &[End]) -> anyhow::Result<()> {
        self.ask(&Order::Close { sockets: ids(ends) }).map(drop)
    }

    /// Starts another program that holds the connections too.
    pub fn share(&mut self, ends: &[End]) -> anyhow::Result<Process> {
        self.send(&Order::Share { sockets: ids(ends) })?;
        match self.reply()? {
            Reply::Started(pid) => Ok(Process {
                pid: Some(pid),
                comm: fs::read_to_string(format!("/proc/{pid}/comm"))?
                    .trim_end()
                    .to_owned(),
            }),
            other => bail!("test program {}: {other:?}", self.comm()),
        }
    }

    /// Listens no more.
    pub fn close_listener(&mut self, listener: Listener) -> anyhow::Result<()> {
        let sockets = vec![listener.socket];
        self.ask(&Order::Close { sockets }).map(drop)
    }

    /// Leaves the connections to another program.
    pub fn bequeath(&mut self, ends: &[End]) -> anyhow::Result<Process> {
        let heir = self.share(ends)?;
        self.close(ends)?;
        Ok(heir)
    }

    /// Ends those programs.
    pub fn bury(&mut self) -> anyhow::Result<()> {
        self.ask(&Order::Bury).map(drop)
    }

    /// Threads that block in accept until they have taken `each` connections.
    pub fn block_in_accept(&mut self, listener: Listener, threads: usize, each: usize) -> anyhow::Result<()> {
        let listener = listener.socket;
        let order = Order::BlockInAccept {
            listener,
            each,
            threads,
        };
        self.ask(&order).map(drop)
    }

    /// Lets other programs send sockets.
    pub fn open_mailbox(&mut self) -> anyhow::Result<()> {
        self.ask(&Order::OpenMailbox).map(drop)
    }

    /// Sends sockets to another program with an open mailbox, and keeps them.
    pub fn send_to(&mut self, other: &Self, ends: &[End]) -> anyhow::Result<()> {
        let order = Order::Send {
            to: other.pid(),
            sockets: ids(ends),
        };
        self.ask(&order).map(drop)
    }

    pub fn receive(&mut self, count: usize) -> anyhow::Result<Vec<End>> {
        self.ask(&Order::Receive { count })
    }

    /// Allows no descriptor of this number or above.
    pub fn limit_descriptors(&mut self, limit: u64) -> anyhow::Result<()> {
        self.ask(&Order::LimitDescriptors { limit }).map(drop)
    }

    /// What those threads took.
    pub fn unblocked(&mut self) -> anyhow::Result<Vec<End>> {
        self.ask(&Order::Unblocked)
    }

    /// Becomes another program, with the same process id.
    pub fn exec(&mut self) -> anyhow::Result<()> {
        self.send(&Order::Exec)?;
        self.expect_ready()
    }
}
