//! The test programs: this binary again, told what to do over stdin.

mod accepting;
mod connecting;
mod sockets;

use std::{
    env,
    ffi::CString,
    io::{self, Write as _},
    os::unix::{ffi::OsStringExt as _, process::CommandExt as _},
    process::{Command, ExitCode},
};

use anyhow::Context as _;
use rustix::thread::set_name;

use crate::order::{Order, Reply};
use accepting::Blocked;
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
}

impl Program {
    fn obey(&mut self, order: Order) -> anyhow::Result<Reply> {
        let sockets = &mut self.sockets;
        let ends = match order {
            Order::Bind { address } => vec![sockets.bind(address)?],
            Order::Listen { socket, backlog } => {
                rustix::net::listen(sockets.get(socket)?, backlog)?;
                Vec::new()
            }
            Order::Accept { listener, count } => accepting::accept(sockets, listener, count)?,
            Order::Connect { to, from, count } => connecting::connect(sockets, to, from, count)?,
            Order::ConnectInThread { name, to, count } => {
                connecting::in_thread(sockets, &CString::new(name)?, to, count)?
            }
            Order::Attempt { to, nonblocking } => vec![connecting::attempt(sockets, to, nonblocking)?],
            Order::Retry { socket, to } => vec![connecting::retry(sockets, socket, to)?],
            Order::Disconnect { socket } => {
                rustix::net::connect_unspec(sockets.get(socket)?)?;
                Vec::new()
            }
            Order::ShutDown { sockets: ids } => sockets.shut_down(&ids)?,
            Order::Reset { sockets: ids } => sockets.reset(&ids)?,
            Order::Close { sockets: ids } => sockets.close(&ids)?,
            Order::ChurnConnect { to, each, threads } => connecting::churn(&to, each, threads)?,
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
            Order::Exec => return Err(exec()),
        };
        Ok(if ends.is_empty() {
            Reply::Done
        } else {
            Reply::Sockets(ends)
        })
    }
}

/// Stdin must not have been read further than the order: the parent sends the next one after the new program is
/// ready.
fn exec() -> anyhow::Error {
    match env::current_exe().context("no path of this program") {
        Ok(program) => Command::new(program).arg(WORD).exec().into(),
        Err(error) => error,
    }
}
