//! The test programs: this binary again, told what to do over stdin.

mod accepting;
mod connecting;
mod mailbox;
mod sockets;

use std::{
    env,
    ffi::{CString, OsStr},
    io::{self, Read as _, Write as _},
    os::unix::{ffi::OsStringExt as _, process::CommandExt as _},
    process::{Child, Command, ExitCode, Stdio},
};

use anyhow::Context as _;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    thread::{UnshareFlags, set_name, unshare_unsafe},
};

use crate::order::{End, Order, Reply, SocketId};
use accepting::Blocked;
use mailbox::Mailbox;
use sockets::Sockets;

/// The argument that makes this binary a test program; the program's name, any bytes, may follow.
pub const WORD: &str = "__role";

/// Runs a test program until its stdin ends.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("test program: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    if let Some(name) = env::args_os().nth(2) {
        set_name(&CString::new(name.into_vec())?)?;
    }
    answer(&Reply::Ready)?;
    let mut program = Program::default();
    for line in io::stdin().lines() {
        let order = serde_json::from_str(&line?)?;
        let reply = program
            .obey(order)
            .unwrap_or_else(|error| Reply::Failed(format!("{error:#}")));
        answer(&reply)?;
    }
    Ok(())
}

fn answer(reply: &Reply) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(reply)?)?;
    Ok(out.flush()?)
}

#[derive(Default)]
struct Program {
    sockets: Sockets,
    blocked: Blocked,
    mailbox: Mailbox,
    heirs: Vec<Child>,
}

impl Program {
    fn obey(&mut self, order: Order) -> anyhow::Result<Reply> {
        let sockets = &mut self.sockets;
        let ends = match order {
            Order::Bind { address, kind } => vec![sockets.bind(address, kind)?],
            Order::Listen { socket, backlog } => {
                rustix::net::listen(sockets.get(socket)?, backlog)?;
                Vec::new()
            }
            Order::Accept { listener, count } => accepting::accept(sockets, listener, count)?,
            Order::AcceptUntilFull { listener } => accepting::until_full(sockets, listener)?,
            Order::Connect { to, from, count } => connecting::connect(sockets, to, from, count)?,
            Order::ConnectInThread { name, to, count } => {
                connecting::in_thread(sockets, &CString::new(name)?, to, count)?
            }
            Order::ConnectFast { to } => vec![connecting::fast(sockets, to)?],
            Order::Attempt { to, nonblocking } => vec![connecting::attempt(sockets, to, nonblocking)?],
            Order::Retry { socket, to } => vec![connecting::retry(sockets, socket, to)?],
            Order::Disconnect { socket } => {
                rustix::net::connect_unspec(sockets.get(socket)?)?;
                Vec::new()
            }
            Order::ShutDown { sockets: ids } => sockets.shut_down(&ids)?,
            Order::Reset { sockets: ids } => sockets.reset(&ids)?,
            Order::Close { sockets: ids } => sockets.close(&ids)?,
            Order::ChurnConnect {
                to,
                from,
                each,
                threads,
            } => connecting::churn(&to, from, each, threads)?,
            Order::ChurnAccept {
                listener,
                each,
                threads,
            } => accepting::churn(sockets.get(listener)?, each, threads)?,
            Order::BlockInAccept {
                listener,
                each,
                threads,
            } => {
                self.blocked = Blocked::start(sockets.get(listener)?, each, threads)?;
                Vec::new()
            }
            Order::Unblocked => self.blocked.finish(sockets)?,
            Order::Share { sockets: ids } => {
                let heir = heir(sockets, &ids)?;
                let pid = heir.id();
                self.heirs.push(heir);
                return Ok(Reply::Started(pid));
            }
            Order::Bury => bury(&mut self.heirs)?,
            Order::OpenMailbox => self.mailbox.open()?,
            Order::Send { to, sockets: ids } => mailbox::send(sockets, to, &ids)?,
            Order::Receive { count } => self.mailbox.receive(sockets, count)?,
            Order::LimitDescriptors { limit } => sockets::limit(limit)?,
            Order::Isolate => isolate()?,
            Order::IsolateChildren => isolate_children()?,
            Order::Run { command } => run_command(&command)?,
            Order::Exec => return Err(exec()),
        };
        Ok(if ends.is_empty() {
            Reply::Done
        } else {
            Reply::Sockets(ends)
        })
    }
}

/// Another test program with the same sockets. It ends when its stdin does, so at the latest with this program.
fn heir(sockets: &Sockets, ids: &[SocketId]) -> anyhow::Result<Child> {
    for id in ids {
        fcntl_setfd(sockets.get(*id)?, FdFlags::empty())?;
    }
    let mut heir = Command::new(env::current_exe()?)
        .args([WORD, "tt-heir"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // It has the sockets when it runs, and it runs when it has said something.
    let mut ready = [0];
    heir.stdout.take().context("no stdout")?.read_exact(&mut ready)?;
    Ok(heir)
}

fn bury(heirs: &mut Vec<Child>) -> anyhow::Result<Vec<End>> {
    for mut heir in heirs.drain(..) {
        heir.kill()?;
        heir.wait()?;
    }
    Ok(Vec::new())
}

/// Only for a program that has one thread.
fn isolate() -> anyhow::Result<Vec<End>> {
    // SAFETY: a network namespace invalidates neither memory nor descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
    run_command(&["ip", "link", "set", "lo", "up"])
}

fn isolate_children() -> anyhow::Result<Vec<End>> {
    // SAFETY: it concerns no thread or process that there is.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID) }?;
    Ok(Vec::new())
}

/// Its output goes to stderr: stdout belongs to the answers.
fn run_command(command: &[impl AsRef<OsStr>]) -> anyhow::Result<Vec<End>> {
    let (program, arguments) = command.split_first().context("no command")?;
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()?;
    anyhow::ensure!(status.success(), "{status}");
    Ok(Vec::new())
}

/// Stdin must not have been read further than the order: the parent sends the next one after the new program is
/// ready.
fn exec() -> anyhow::Error {
    match env::current_exe().context("no path of this program") {
        Ok(program) => Command::new(program).arg(WORD).exec().into(),
        Err(error) => error,
    }
}
