//! Asking the helper, in a thread of its own: questions in, answers out, whatever becomes of the helper.

use std::{
    collections::HashSet,
    io::{self, Write as _},
    os::fd::AsFd as _,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    thread,
    time::{Duration, Instant},
};

use log::{debug, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::protocol::{Answer, Question};
use crate::{ingest::stack::RawStack, model::connection::ProcessId};

/// The argument that makes this program the helper.
pub const WORD: &str = "symbolize";
/// Questions that wait.
const WAITING: usize = 256;
/// How long one question may take. The first one about a large program reads all of its debug information.
const PATIENCE: Duration = Duration::from_secs(30);
/// A helper that is not asked for so long is not kept.
const IDLE: Duration = Duration::from_mins(1);
/// Bytes of an answer.
const LONGEST: usize = 1 << 20;
/// Processes that nobody is asked about any more, because the helper did not survive it: then all are forgotten.
const SHUNNED: usize = 1024;

/// Looks stacks up.
pub struct Client {
    questions: SyncSender<RawStack>,
    answers: Receiver<Answer>,
}

impl Client {
    /// Starts the thread; the helper when it is needed.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start() -> io::Result<Self> {
        let (questions, asked) = sync_channel(WAITING);
        let (answer, answers) = channel();
        thread::Builder::new()
            .name("stacks".to_owned())
            .spawn(move || Asker::default().run(&asked, &answer))?;
        Ok(Self { questions, answers })
    }

    /// Asks what a stack looks like; whether there was room for the question.
    pub fn ask(&self, stack: RawStack) -> bool {
        self.questions.try_send(stack).is_ok()
    }

    /// The next answer, if there is one.
    pub fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

#[derive(Default)]
struct Asker {
    helper: Option<Helper>,
    shunned: HashSet<ProcessId>,
    warned: bool,
}

impl Asker {
    fn run(mut self, asked: &Receiver<RawStack>, answer: &Sender<Answer>) {
        loop {
            match asked.recv_timeout(IDLE) {
                Ok(stack) => {
                    let found = self.look_up(&stack);
                    if answer.send(found).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.helper = None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look_up(&mut self, stack: &RawStack) -> Answer {
        let unknown = |why: String| Answer {
            stack: None,
            learned: None,
            why: Some(why),
            broken: false,
        };
        if self.shunned.contains(&stack.process) {
            return unknown("the helper did not survive a look at this process".to_owned());
        }
        let helper = match self.helper.take().map_or_else(Helper::start, Ok) {
            Ok(helper) => self.helper.insert(helper),
            Err(error) => {
                self.warn(&error.to_string());
                return unknown(error.to_string());
            }
        };
        let mut answer = helper.ask(stack);
        if answer.is_err() && helper.has_ended_well() {
            // It does when it has copied enough, after an answer; it was not this question's doing.
            answer = Helper::start().and_then(|new| self.helper.insert(new).ask(stack));
        }
        match answer {
            Ok(answer) if answer.broken => {
                self.helper = None;
                self.warn(answer.why.as_deref().unwrap_or_default());
                answer
            }
            Ok(answer) if answer.stack.as_ref().is_none_or(|found| found.id == stack.id) => answer,
            failed => {
                self.helper = None;
                if self.shunned.len() >= SHUNNED {
                    self.shunned.clear();
                }
                self.shunned.insert(stack.process);
                let why = failed
                    .err()
                    .map_or_else(|| "another answer".to_owned(), |error| error.to_string());
                debug!("no stack of process {}: {why}", stack.process.pid);
                unknown(why)
            }
        }
    }
}

impl Asker {
    /// Says once that nothing can be looked up.
    fn warn(&mut self, why: &str) {
        if !self.warned {
            warn!("stacks cannot be looked up: {why}");
            self.warned = true;
        }
    }
}

/// A running helper; killed when dropped.
struct Helper {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Helper {
    fn start() -> io::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg(WORD)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok(Self { child, stdin, stdout }),
            _ => Err(io::Error::other("no pipes")),
        }
    }

    fn ask(&mut self, stack: &RawStack) -> io::Result<Answer> {
        let mut line = serde_json::to_vec(&Question::from(stack))?;
        line.push(b'\n');
        // A question fits a pipe, and the last one was read.
        self.stdin.write_all(&line)?;
        Ok(serde_json::from_slice(&self.line(Instant::now() + PATIENCE)?)?)
    }

    /// Whether it has ended because it was done.
    fn has_ended_well(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(status)) if status.success())
    }

    fn line(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut chunk = [0; 16384];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            let ready = poll(
                &mut [PollFd::new(&self.stdout.as_fd(), PollFlags::IN)],
                Some(&left),
            );
            match ready {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let length = rustix::io::read(&self.stdout, &mut chunk)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.extend(chunk.iter().take(length));
            match line.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    line.truncate(end);
                    return Ok(line);
                }
                None if line.len() > LONGEST => return Err(io::Error::other("its answer is too long")),
                None => {}
            }
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Both fail harmlessly if it is gone.
        let _: io::Result<()> = self.child.kill();
        let _: io::Result<_> = self.child.wait();
    }
}
