//! A test program, seen from the test.

mod orders;

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    os::unix::ffi::OsStrExt as _,
    process::{Child, ChildStdin, Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    lines::{Lines, Next, PATIENCE},
    order::{End, Order, Reply, SocketId},
    role,
    stream::Process,
};

/// A running test program; killed when dropped.
pub struct Puppet {
    child: Child,
    stdin: ChildStdin,
    replies: Lines,
    comm: Vec<u8>,
}

/// A socket that listens.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    pub socket: SocketId,
    pub address: SocketAddr,
}

impl Listener {
    pub fn port(self) -> u16 {
        self.address.port()
    }

    /// The listener by another address of its host.
    pub fn at(self, ip: impl Into<IpAddr>) -> SocketAddr {
        SocketAddr::new(ip.into(), self.port())
    }
}

/// 127.0.0.`host` and a port, 0 for any.
pub const fn at(host: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(loopback(host), port)
}

/// 127.0.0.`host`.
pub const fn loopback(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, host)
}

/// The numbers of these sockets.
pub fn ids(ends: &[End]) -> Vec<SocketId> {
    ends.iter().map(|end| end.id).collect()
}

impl Puppet {
    /// Starts a program of this name, any bytes, at most 15.
    pub fn start(name: impl AsRef<[u8]>) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(role::WORD)
            .arg(OsStr::from_bytes(name.as_ref()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a test program")?;
        let stdin = child.stdin.take().context("no stdin")?;
        let replies = Lines::of(child.stdout.take().context("no stdout")?);
        let mut puppet = Self {
            child,
            stdin,
            replies,
            comm: Vec::new(),
        };
        puppet.expect_ready()?;
        ensure!(
            puppet.comm == name.as_ref(),
            "the kernel calls it {:?}",
            puppet.comm
        );
        Ok(puppet)
    }

    fn expect_ready(&mut self) -> anyhow::Result<()> {
        let reply = self.reply()?;
        ensure!(matches!(reply, Reply::Ready), "not ready: {reply:?}");
        self.comm = fs::read(format!("/proc/{}/comm", self.pid()))?;
        // The newline is the file's, not the name's.
        ensure!(self.comm.pop() == Some(b'\n'), "a name ends in a newline");
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its name, as the kernel told when it started.
    pub fn comm(&self) -> String {
        String::from_utf8_lossy(&self.comm).into_owned()
    }

    /// Gives an order; [`reply`](Self::reply) takes the answer.
    pub fn send(&mut self, order: &Order) -> anyhow::Result<()> {
        writeln!(self.stdin, "{}", serde_json::to_string(order)?).context("the test program is gone")
    }

    /// The answer to the last order: the sockets concerned, if any.
    pub fn done(&self) -> anyhow::Result<Vec<End>> {
        match self.reply()? {
            Reply::Done => Ok(Vec::new()),
            Reply::Sockets(ends) => Ok(ends),
            Reply::Failed(why) => bail!("test program {}: {why}", self.comm()),
            Reply::Ready | Reply::Started(_) => bail!("test program {}: answers out of order", self.comm()),
        }
    }

    fn reply(&self) -> anyhow::Result<Reply> {
        match self.replies.next(Instant::now() + PATIENCE) {
            Next::Line(line) => Ok(serde_json::from_slice(&line)?),
            Next::End => bail!("test program {} ended", self.comm()),
            Next::Nothing => bail!("test program {} does not answer", self.comm()),
        }
    }

    fn ask(&mut self, order: &Order) -> anyhow::Result<Vec<End>> {
        self.send(order)?;
        self.done().with_context(|| format!("{order:?}"))
    }

    fn ask_one(&mut self, order: &Order) -> anyhow::Result<End> {
        self.ask(order)?.pop().context("no socket in the answer")
    }

    /// Kills it. When this returns, its sockets are closed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl From<&Puppet> for Process {
    fn from(puppet: &Puppet) -> Self {
        Self {
            pid: Some(puppet.pid()),
            comm: puppet.comm(),
        }
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        // Both fail harmlessly for a child that has been waited for.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<_> = self.child.wait();
    }
}

/// The end of `ends` that is the other end of `end`.
pub fn other_end<'a>(end: &End, ends: &'a [End]) -> anyhow::Result<&'a End> {
    let mapped = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    ends.iter()
        .find(|other| other.peer.is_some_and(|peer| mapped(peer) == mapped(end.local)))
        .with_context(|| format!("nobody accepted {end:?}"))
}
