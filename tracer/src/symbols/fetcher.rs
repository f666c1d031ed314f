//! The half of the helper that opens files of other processes and reads none that these have made but their text in
//! `/proc`. What is opened goes to the other half, the [`parser`](super::parser), which may open nothing.
//!
//! It is a process of its own, not a thread of the tracer: whoever serves a file system can keep an `open` waiting for
//! ever, and only the end of the process ends that.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use rustix::{
    fs::{FileType, MemfdFlags, Mode, OFlags, SealFlags, Stat, fcntl_add_seals, fstat, memfd_create, open},
    io::Errno,
};
use serde_json::json;

use super::{
    client, confine,
    maps::{Mapping, Maps},
    protocol::{ANSWERS, ASKS, Code, FileId, Question, Request, Task},
    wire,
};
use crate::{
    ingest::stack::RawStack,
    procfs::{
        process::Directory,
        status::{acts_for, inner_pid},
    },
};

/// Bytes of `/proc/PID/maps` that are read.
const MAPS: usize = 8 << 20;
/// A larger file is not opened.
const LARGEST: u64 = 1 << 30;
/// Nor a larger one copied.
const LARGEST_COPY: u64 = 64 << 20;
/// Bytes of copies after which this helper ends, for another to begin without them.
const COPIES: u64 = 256 << 20;
/// What may be asked for during one question: three times for each piece of code, and a rest.
const REQUESTS: usize = 256;
/// Digits of a build id.
const BUILD_ID: std::ops::RangeInclusive<usize> = 4..=64;

/// Answers the questions that come over stdin until there are no more.
///
/// # Errors
/// When it cannot confine itself, or the other half is gone.
pub fn main() -> anyhow::Result<()> {
    let started = Parser::start().and_then(|parser| {
        confine::fetcher(LARGEST_COPY).context("cannot give up privileges")?;
        Ok(parser)
    });
    let mut out = io::stdout().lock();
    let mut parser = match started {
        Ok(parser) => parser,
        Err(error) => {
            // Instead of the first answer.
            writeln!(out, "{}", json!({ "why": format!("{error:#}"), "broken": true }))?;
            return Err(error);
        }
    };
    for line in BufReader::new(io::stdin()).lines() {
        let stack = RawStack::from(&serde_json::from_str::<Question>(&line?)?);
        let mut answer = match parser.look_up(&stack) {
            Ok(answer) => answer,
            Err(Failed::Looking(error)) => json!({ "why": format!("{error:#}") }).to_string().into_bytes(),
            Err(Failed::Parser(error)) => return Err(error),
        };
        answer.push(b'\n');
        out.write_all(&answer)?;
        out.flush()?;
        if parser.copied > COPIES {
            break;
        }
    }
    Ok(())
}

/// Why there is no answer.
enum Failed {
    /// The process cannot be looked into.
    Looking(anyhow::Error),
    /// The other half is gone, or does what it should not.
    Parser(anyhow::Error),
}

/// The other half. It ends with this process: that may not signal a process of another user.
struct Parser {
    socket: UnixStream,
    /// Bytes of copies that it was given.
    copied: u64,
}

impl Parser {
    fn start() -> anyhow::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        Command::new("/proc/self/exe")
            .args([client::WORD, "--parser"])
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let parser = Self { socket, copied: 0 };
        let why = wire::receive_no_file(&parser.socket)?.context("it ends at once")?;
        ensure!(why.is_empty(), "{}", String::from_utf8_lossy(&why));
        Ok(parser)
    }

    fn look_up(&mut self, stack: &RawStack) -> Result<Vec<u8>, Failed> {
        let mut look = Look::at(stack).map_err(Failed::Looking)?;
        let answer = self.ask(&mut look).map_err(Failed::Parser)?;
        if look.directory.is_of(stack.process) {
            Ok(answer)
        } else {
            Err(Failed::Looking(anyhow::anyhow!("the process is gone")))
        }
    }

    /// Hands the question on, and what is asked for until the answer comes.
    fn ask(&mut self, look: &mut Look) -> anyhow::Result<Vec<u8>> {
        wire::send(&self.socket, &serde_json::to_vec(&look.task)?, None)?;
        for _ in 0..REQUESTS {
            let message = wire::receive_no_file(&self.socket)?.context("the parser is gone")?;
            match message.split_first() {
                Some((&ANSWERS, answer)) => {
                    ensure!(!answer.contains(&b'\n'), "more than one line");
                    return Ok(answer.to_vec());
                }
                Some((&ASKS, request)) => {
                    let file = look.fetch(&serde_json::from_slice(request)?, &mut self.copied);
                    wire::send(&self.socket, &[], file.as_ref().ok().map(AsFd::as_fd))?;
                }
                _ => anyhow::bail!("no request and no answer"),
            }
        }
        anyhow::bail!("it asks for ever")
    }
}

/// One look into a process.
struct Look {
    directory: Directory,
    pid: u32,
    task: Task,
    /// The file behind each piece of code: a mere name, not open.
    names: Vec<Option<OwnedFd>>,
}

impl Look {
    fn at(stack: &RawStack) -> anyhow::Result<Self> {
        let directory = Directory::open(stack.process.pid).context("the process is gone")?;
        ensure!(directory.is_of(stack.process), "the process is gone");
        let maps = Maps::parse(&directory.read(c"maps", MAPS).context("its memory is not told")?);
        let root = directory
            .in_root(b"/")
            .and_then(fstat)
            .map_or((0, 0), |about| place(&about));
        let mut code: Vec<(Code, Option<OwnedFd>)> = Vec::new();
        // A return address may be that of the next function.
        let addresses = stack.frames.iter().chain(&stack.window);
        for address in addresses.map(|address| address.wrapping_sub(1)) {
            let Some(mapping) = maps.find(address) else {
                continue;
            };
            if code.iter().any(|(known, _)| known.start == mapping.start) {
                continue;
            }
            let named = named(&directory, mapping).ok();
            let file = named.as_ref().map(|(_, about)| id(about, root));
            code.push((offered(mapping, file), named.map(|(name, _)| name)));
        }
        code.sort_unstable_by_key(|(code, _)| code.start);
        let (code, names) = code.into_iter().unzip();
        let question = Question::from(stack);
        Ok(Self {
            directory,
            pid: stack.process.pid,
            task: Task { question, code },
            names,
        })
    }

    /// Opens what is asked for, if that is something that may be.
    fn fetch(&self, request: &Request, copied: &mut u64) -> anyhow::Result<OwnedFd> {
        match request {
            Request::File(index) => Ok(reopen(self.name(*index)?)?.into()),
            Request::Copy(index) => {
                let (copy, length) = copy(&reopen(self.name(*index)?)?)?;
                *copied += length;
                ensure!(*copied <= COPIES + LARGEST_COPY, "too many copies");
                Ok(copy)
            }
            Request::Debug(build_id) => self.debug_file(build_id),
            Request::Names => self.perf_map(),
        }
    }

    fn name(&self, index: usize) -> anyhow::Result<&OwnedFd> {
        self.names
            .get(index)
            .and_then(Option::as_ref)
            .context("there is no such file")
    }

    /// The file with debug information that was split off: in the root of the process, or else in ours.
    fn debug_file(&self, build_id: &str) -> anyhow::Result<OwnedFd> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        ensure!(
            build_id.bytes().all(is_digit) && BUILD_ID.contains(&build_id.len()),
            "no build id"
        );
        let (first, rest) = build_id.split_at(2);
        let path = format!("/usr/lib/debug/.build-id/{first}/{rest}.debug");
        let name = self
            .directory
            .in_root(path.as_bytes())
            .or_else(|_| Directory::own_thread()?.in_root(path.as_bytes()))?;
        let about = fstat(&name)?;
        ensure!(is_regular(&about) && size(&about) <= LARGEST, "no such file");
        Ok(reopen(&name)?.into())
    }

    /// The names of code that the process has compiled itself.
    fn perf_map(&self) -> anyhow::Result<OwnedFd> {
        let status = self.directory.read(c"status", 1 << 16).unwrap_or_default();
        let pid = inner_pid(&status).unwrap_or(self.pid);
        let name = self
            .directory
            .in_root(format!("/tmp/perf-{pid}.map").as_bytes())?;
        // In /tmp anybody can write a file of that name.
        let about = fstat(&name)?;
        ensure!(
            is_regular(&about) && acts_for(&status, about.st_uid),
            "not its own"
        );
        Ok(reopen(&name)?.into())
    }
}

/// Names the file behind a mapping: a regular file that is not too large.
fn named(directory: &Directory, mapping: &Mapping) -> anyhow::Result<(OwnedFd, Stat)> {
    ensure!(mapping.has_file(), "no file");
    // The very file that is mapped, whatever has its name by now, and in whichever mount namespace; without the
    // privilege for that, the one of that name.
    let name = match directory.mapped(mapping.start, mapping.end) {
        Err(Errno::PERM) if !mapping.is_deleted() => directory.in_root(mapping.name()),
        mapped => mapped,
    }?;
    let about = fstat(&name)?;
    ensure!(is_regular(&about) && size(&about) <= LARGEST, "no such file");
    Ok((name, about))
}

fn offered(mapping: &Mapping, file: Option<FileId>) -> Code {
    Code {
        start: mapping.start,
        end: mapping.end,
        offset: mapping.offset,
        path: String::from_utf8_lossy(mapping.name()).into_owned(),
        has_file: mapping.has_file(),
        file,
    }
}

fn id(about: &Stat, root: (u64, u64)) -> FileId {
    FileId {
        place: place(about),
        size: size(about),
        changed: (about.st_mtime, i64::try_from(about.st_mtime_nsec).unwrap_or(0)),
        root,
    }
}

fn place(about: &Stat) -> (u64, u64) {
    (about.st_dev, about.st_ino)
}

fn size(about: &Stat) -> u64 {
    u64::try_from(about.st_size).unwrap_or(u64::MAX)
}

fn is_regular(about: &Stat) -> bool {
    FileType::from_raw_mode(about.st_mode) == FileType::RegularFile
}

/// Opens for reading what was only named so far.
fn reopen(name: impl AsFd) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", name.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?.into())
}

/// Copies a file into memory, and how long it is.
fn copy(file: &File) -> anyhow::Result<(OwnedFd, u64)> {
    ensure!(file.metadata()?.len() <= LARGEST_COPY, "too large");
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut copy = File::from(memfd_create("copy", flags)?);
    let length = io::copy(&mut file.take(LARGEST_COPY), &mut copy)?;
    fcntl_add_seals(
        &copy,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )?;
    Ok((copy.into(), length))
}

#[cfg(test)]
#[path = "fetcher_tests.rs"]
mod tests;
