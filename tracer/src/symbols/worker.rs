//! The helper: a process of its own that looks into the files of others, so that what these do to it, it does not do to
//! the tracer. It has no descriptors but its pipes, writes no files, and keeps of its privileges the ones to read.
//! Whatever ends it, by a limit, a signal or the tracer's impatience, ends one look-up.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
    num::NonZeroU32,
    os::unix::fs::MetadataExt as _,
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use blazesym::symbolize::{
    CodeInfo, Input, Symbolized, Symbolizer,
    source::{Elf, Source},
};
use rustix::{
    fs::{FileType, Mode, OFlags, Stat, open},
    io::Errno,
    process::{Resource, Rlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs},
};
use serde::Serialize;

use super::{
    maps::{Mapping, Maps},
    module::Module,
    origin, perf_map,
    protocol::{Learned, Question},
    unwind::{self, Linkage},
};
use crate::{
    ingest::stack::RawStack,
    model::stack::{Cut, Frame, Origin, Trace},
    procfs::{
        process::Directory,
        status::{acts_for, inner_pid},
    },
    recording::written::{Nanos, Stack},
};

/// Bytes of memory that it may write: a file of debug information can ask for any amount.
const MEMORY: u64 = 768 << 20;
/// Bytes of `/proc/PID/maps` that are read.
const MAPS: usize = 8 << 20;
/// Files of code that are open at once; then it begins anew.
const MODULES: usize = 128;
/// Bytes of the name of a function or file.
const NAME: usize = 256;
/// Frames of one stack, inlined ones included.
const FRAMES: usize = 256;

#[derive(Serialize)]
struct Reply<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<Stack<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    learned: Option<Learned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Answers questions until there are no more.
///
/// # Errors
/// When it cannot confine itself, or the pipes break.
pub fn main() -> anyhow::Result<()> {
    confine().context("cannot give up privileges")?;
    let mut worker = Worker::new();
    let mut out = io::stdout().lock();
    for line in BufReader::new(io::stdin()).lines() {
        let stack: RawStack = serde_json::from_str::<Question>(&line?)?.into();
        let answer = worker.look_up(&stack);
        let reply = match &answer {
            Ok((trace, learned)) => Reply {
                stack: Some(Stack::new(Nanos(stack.at), stack.id, trace)),
                learned: *learned,
                why: None,
            },
            Err(error) => Reply {
                stack: None,
                learned: None,
                why: Some(format!("{error:#}")),
            },
        };
        serde_json::to_writer(&mut out, &reply)?;
        out.write_all(b"\n")?;
        out.flush()?;
        if worker.modules.len() >= MODULES {
            worker = Worker::new();
        }
    }
    Ok(())
}

/// Gives up what it does not need.
fn confine() -> io::Result<()> {
    let limit = |resource, value| {
        let limit = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, limit)
    };
    limit(Resource::Data, MEMORY)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    set_no_new_privs(true)?;
    // To read the directories of other processes, their files, and files that are deleted.
    let needed =
        CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH | CapabilitySet::CHECKPOINT_RESTORE;
    let kept = capabilities(None)?.permitted & needed;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, sets)?)
}

struct Worker {
    symbolizer: Symbolizer,
    /// By device, inode number, size and time of the last change.
    modules: HashMap<(u64, u64, u64, i64), Arc<Module>>,
}

impl Worker {
    fn new() -> Self {
        // The files are open, so they cannot become others.
        let symbolizer = Symbolizer::builder().enable_auto_reload(false).build();
        Self {
            symbolizer,
            modules: HashMap::new(),
        }
    }

    fn look_up(&mut self, stack: &RawStack) -> anyhow::Result<(Trace, Option<Learned>)> {
        let directory = Directory::open(stack.process.pid).context("the process is gone")?;
        ensure!(directory.is_of(stack.process), "the process is gone");
        let maps = Maps::parse(&directory.read(c"maps", MAPS).context("its memory is not told")?);
        let mut found: HashMap<u64, Option<Arc<Module>>> = HashMap::new();
        let mut module = |worker: &mut Self, mapping: &Mapping| {
            let entry = found.entry(mapping.start);
            entry
                .or_insert_with(|| worker.module(&directory, mapping).ok())
                .clone()
        };
        let walk = unwind::walk(stack, |address| match maps.find(address) {
            None => Linkage::NoCode,
            Some(mapping) => module(self, mapping).map_or(Linkage::Unwritten, |module| {
                module.linkage(mapping.offset_of(address))
            }),
        });
        let calls: Vec<u64> = walk
            .addresses
            .iter()
            .map(|address| address.wrapping_sub(1))
            .collect();
        let is_compiled = |call: &u64| maps.find(*call).is_some_and(|mapping| !mapping.has_file());
        let compiled: Vec<u64> = calls.iter().copied().filter(is_compiled).collect();
        let mut names = perf_names(&directory, stack.process.pid, &compiled).into_iter();
        let mut trace = Trace {
            frames: Vec::new(),
            cut: walk.cut,
        };
        for (index, call) in calls.into_iter().enumerate() {
            if index == 1 && walk.gap {
                trace.frames.push(Arc::default());
            }
            let Some(mapping) = maps.find(call) else { continue };
            if is_compiled(&call) {
                trace
                    .frames
                    .push(Arc::new(compiled_frame(mapping, call, names.next().flatten())));
            } else {
                let module = module(self, mapping);
                self.name(mapping, mapping.offset_of(call), module.as_deref(), &mut trace);
            }
            if trace.frames.len() > FRAMES {
                trace.frames.truncate(FRAMES);
                trace.cut = Some(Cut::Deep);
                break;
            }
        }
        // A wrapper of the system call, linked into a program without symbols.
        let is_wrapper = walk.learned.is_some_and(|learned| learned.slot.is_some());
        if let [innermost, _, ..] = trace.frames.as_mut_slice()
            && is_wrapper
            && innermost.function.is_none()
        {
            Arc::make_mut(innermost).origin = Origin::Library;
        }
        if trace.frames.last().is_some_and(|last| origin::is_root(last)) {
            trace.cut = None;
        }
        ensure!(directory.is_of(stack.process), "the process is gone");
        Ok((trace, walk.learned))
    }

    /// The file behind a mapping, opened so that nothing but a regular file is ever read.
    fn module(&mut self, directory: &Directory, mapping: &Mapping) -> anyhow::Result<Arc<Module>> {
        ensure!(mapping.has_file(), "no file");
        // The very file that is mapped, whatever has its name by now, and in whichever mount namespace; without the
        // privilege for that, the one of that name.
        let handle = match directory.mapped(mapping.start, mapping.end) {
            Err(Errno::PERM) if !mapping.is_deleted() => directory.in_root(mapping.name()),
            mapped => mapped,
        }?;
        ensure!(is_regular(&rustix::fs::fstat(&handle)?), "no regular file");
        let file = reopen(&handle)?;
        let about = file.metadata()?;
        let key = (
            about.dev(),
            about.ino(),
            about.size(),
            about.mtime_nsec() ^ (about.mtime() << 30),
        );
        if let Some(module) = self.modules.get(&key) {
            return Ok(Arc::clone(module));
        }
        let module = Arc::new(Module::open(file)?);
        self.modules.insert(key, Arc::clone(&module));
        Ok(module)
    }

    /// Appends the frames at an offset of a file, those that were inlined first.
    fn name(&self, mapping: &Mapping, offset: u64, module: Option<&Module>, trace: &mut Trace) {
        let path = clean(&String::from_utf8_lossy(mapping.name()));
        let symbol = module.and_then(|module| {
            let source = Source::Elf(Elf::new(module.path()));
            match self
                .symbolizer
                .symbolize_single(&source, Input::FileOffset(offset))
            {
                Ok(Symbolized::Sym(symbol)) => Some(symbol),
                Ok(Symbolized::Unknown(_)) | Err(_) => None,
            }
        });
        let mut push = |mut frame: Frame| {
            frame.module = Some(path.clone());
            frame.origin = origin::of(&frame);
            trace.frames.push(Arc::new(frame));
        };
        let Some(symbol) = symbol else {
            push(Frame {
                offset: Some(offset),
                build_id: module.and_then(|module| module.build_id().map(str::to_owned)),
                ..Frame::default()
            });
            return;
        };
        for inlined in symbol.inlined.iter().rev() {
            push(located(&inlined.name, inlined.code_info.as_ref(), true));
        }
        push(located(&symbol.name, symbol.code_info.as_deref(), false));
    }
}

fn located(name: &str, code: Option<&CodeInfo<'_>>, inlined: bool) -> Frame {
    Frame {
        function: Some(clean(name)),
        file: code.map(|code| clean(&code.to_path().to_string_lossy())),
        line: code.and_then(|code| code.line).and_then(NonZeroU32::new),
        inlined,
        ..Frame::default()
    }
}

/// Code without a file.
fn compiled_frame(mapping: &Mapping, address: u64, name: Option<String>) -> Frame {
    let mut frame = match name {
        Some(name) => {
            let (function, file, line) = origin::compiled(&name);
            Frame {
                function: Some(clean(function)),
                file: file.map(clean),
                line,
                ..Frame::default()
            }
        }
        None => Frame {
            module: Some(if mapping.path.is_empty() {
                "[compiled at run time]".to_owned()
            } else {
                clean(&String::from_utf8_lossy(&mapping.path))
            }),
            offset: Some(address),
            ..Frame::default()
        },
    };
    frame.origin = origin::of(&frame);
    frame
}

/// The names of code that the process has compiled itself.
fn perf_names(directory: &Directory, pid: u32, addresses: &[u64]) -> Vec<Option<String>> {
    let nothing = || vec![None; addresses.len()];
    if addresses.is_empty() {
        return Vec::new();
    }
    let status = directory.read(c"status", 1 << 16).unwrap_or_default();
    let pid = inner_pid(&status).unwrap_or(pid);
    let Ok(handle) = directory.in_root(format!("/tmp/perf-{pid}.map").as_bytes()) else {
        return nothing();
    };
    // In /tmp anybody can write a file of that name.
    let is_its_own =
        rustix::fs::fstat(&handle).is_ok_and(|about| is_regular(&about) && acts_for(&status, about.st_uid));
    if !is_its_own {
        return nothing();
    }
    let file = reopen(&handle).map(|file| BufReader::with_capacity(1 << 16, file));
    file.map_or_else(|_| nothing(), |file| perf_map::names(file, addresses))
}

fn is_regular(about: &Stat) -> bool {
    FileType::from_raw_mode(about.st_mode) == FileType::RegularFile
}

/// Opens for reading what was only named so far: never waits, whatever it is.
fn reopen(handle: &impl std::os::fd::AsFd) -> io::Result<File> {
    use std::os::fd::AsRawFd as _;
    let path = format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?.into())
}

/// A name of bounded length.
fn clean(name: &str) -> String {
    if name.len() <= NAME {
        return name.to_owned();
    }
    let kept = name.get(..name.floor_char_boundary(NAME)).unwrap_or_default();
    format!("{kept}…")
}
