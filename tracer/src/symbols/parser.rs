//! The half of the helper that parses files of other processes, so that what these do to it, they do not do to the tracer.
//! It is confined before it looks at anything: it has no privileges and no files but those that the other half, the
//! [`fetcher`](super::fetcher), hands it. Whatever ends it, by a limit, a signal or the tracer's impatience, ends one look-up.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader},
    num::NonZeroU32,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use blazesym::symbolize::{
    CodeInfo, Input, Sym, Symbolized, Symbolizer,
    source::{Elf, Source},
};
use serde::Serialize;

use super::{
    confine,
    module::Module,
    origin, perf_map,
    protocol::{ANSWERS, ASKS, Code, FileId, Learned, Request, Task},
    unwind::{self, Linkage},
    wire,
};
use crate::{
    ingest::stack::RawStack,
    model::stack::{Cut, Frame, Origin, Trace},
    recording::written::{Nanos, Stack},
};

/// Files of code that are open at once; then it begins anew.
const MODULES: usize = 128;
/// Bytes of the name of a function or file.
const NAME: usize = 256;
/// Frames of one stack, inlined ones included.
const FRAMES: usize = 256;

#[derive(Serialize)]
struct Reply<'a> {
    stack: Stack<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    learned: Option<Learned>,
}

/// Answers what the other half asks, over stdin, until there is no more.
///
/// Its first message says why it cannot, and nothing if it can.
///
/// # Errors
/// When it cannot confine itself, or the other half is gone.
pub fn main() -> anyhow::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let confined = confine::parser().context("cannot give up privileges");
    let why = confined
        .as_ref()
        .map_or_else(|error| format!("{error:#}"), |_| String::new());
    wire::send(&socket, why.as_bytes(), None)?;
    let files = confined?;
    let mut worker = Worker::new(files, Fetcher(socket));
    while let Some((task, _)) = wire::receive(&worker.fetcher.0)? {
        let task: Task = serde_json::from_slice(&task)?;
        let stack = RawStack::from(&task.question);
        let (trace, learned) = worker.look_up(&task, &stack);
        let reply = Reply {
            stack: Stack::new(Nanos(stack.at), stack.id, &trace),
            learned,
        };
        let mut message = vec![ANSWERS];
        serde_json::to_writer(&mut message, &reply)?;
        wire::send(&worker.fetcher.0, &message, None)?;
        if worker.modules.len() >= MODULES {
            worker = Worker::new(files, worker.fetcher);
        }
    }
    Ok(())
}

/// The other half, at the other end of a socket.
struct Fetcher(UnixStream);

impl Fetcher {
    /// Asks for a file; `None` if there is none to be had.
    fn ask(&self, request: &Request) -> anyhow::Result<Option<OwnedFd>> {
        let mut message = vec![ASKS];
        serde_json::to_writer(&mut message, request)?;
        wire::send(&self.0, &message, None)?;
        Ok(wire::receive(&self.0)?.context("the other half is gone")?.1)
    }

    fn file(&self, request: &Request) -> anyhow::Result<File> {
        Ok(self.ask(request)?.context("there is none")?.into())
    }
}

struct Worker {
    symbolizer: Symbolizer,
    /// What could be read of them, and what not.
    modules: HashMap<FileId, Option<Arc<Module>>>,
    fetcher: Fetcher,
    /// Where open files have names.
    files: &'static str,
}

impl Worker {
    fn new(files: &'static str, fetcher: Fetcher) -> Self {
        let symbolizer = Symbolizer::builder()
            // The files are open, so they cannot become others.
            .enable_auto_reload(false)
            // There is nothing to be found; the other half looks for debug files.
            .set_debug_dirs(Some([""; 0]))
            .build();
        Self {
            symbolizer,
            modules: HashMap::new(),
            fetcher,
            files,
        }
    }

    fn look_up(&mut self, task: &Task, stack: &RawStack) -> (Trace, Option<Learned>) {
        let walk = unwind::walk(stack, |address| match task.find(address) {
            None => Linkage::NoCode,
            Some(index) => self.module(task, index).map_or(Linkage::Unwritten, |module| {
                let code = task.code.get(index);
                code.map_or(Linkage::NoCode, |code| module.linkage(code.offset_of(address)))
            }),
        });
        let calls: Vec<(u64, usize, &Code)> = walk
            .addresses
            .iter()
            .filter_map(|address| {
                let call = address.wrapping_sub(1);
                let index = task.find(call)?;
                Some((call, index, task.code.get(index)?))
            })
            .collect();
        let compiled: Vec<u64> = calls
            .iter()
            .filter(|(.., code)| !code.has_file)
            .map(|(call, ..)| *call)
            .collect();
        let mut names = self.perf_names(&compiled).into_iter();
        let mut trace = Trace {
            frames: Vec::new(),
            cut: walk.cut,
        };
        for (number, (call, index, code)) in calls.into_iter().enumerate() {
            if number == 1 && walk.gap {
                trace.frames.push(Arc::default());
            }
            if code.has_file {
                let module = self.module(task, index);
                self.name(code, code.offset_of(call), module.as_deref(), &mut trace);
            } else {
                trace
                    .frames
                    .push(Arc::new(compiled_frame(code, call, names.next().flatten())));
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
        (trace, walk.learned)
    }

    /// The file behind a piece of code.
    fn module(&mut self, task: &Task, index: usize) -> Option<Arc<Module>> {
        let id = task.code.get(index)?.file.as_ref()?;
        if let Some(known) = self.modules.get(id) {
            return known.clone();
        }
        let module = self.open(index).ok().map(Arc::new);
        self.modules.insert(id.clone(), module.clone());
        module
    }

    fn open(&self, index: usize) -> anyhow::Result<Module> {
        let mut file = self.fetcher.file(&Request::File(index))?;
        // What only its owner may read was opened for us, but blazesym wants a name to open.
        if File::open(name_of(self.files, &file)).is_err() {
            file = self.fetcher.file(&Request::Copy(index))?;
        }
        let mut module = Module::open(file)?;
        if let Some(build_id) = module.lacks_debug_information() {
            let debug_file = self.fetcher.ask(&Request::Debug(build_id.to_owned()))?;
            module.add_debug_file(debug_file.map(File::from));
        }
        Ok(module)
    }

    /// The names of code that the process has compiled itself.
    fn perf_names(&self, addresses: &[u64]) -> Vec<Option<String>> {
        let nothing = || vec![None; addresses.len()];
        if addresses.is_empty() {
            return Vec::new();
        }
        self.fetcher.file(&Request::Names).map_or_else(
            |_| nothing(),
            |file| perf_map::names(BufReader::with_capacity(1 << 16, file), addresses),
        )
    }

    /// What the symbol tables and debug information say of an offset of a file.
    fn symbol(&self, module: &Module, offset: u64) -> Option<Sym<'_>> {
        let look = |file: &File, input| {
            let source = Source::Elf(Elf::new(name_of(self.files, file)));
            match self.symbolizer.symbolize_single(&source, input) {
                Ok(Symbolized::Sym(symbol)) => Some(symbol),
                Ok(Symbolized::Unknown(_)) | Err(_) => None,
            }
        };
        let split_off = module.debug_file().and_then(|file| {
            // A file of debug information has the addresses of the other, not its offsets.
            look(file, Input::VirtOffset(module.address(offset)?))
        });
        split_off.or_else(|| look(module.file(), Input::FileOffset(offset)))
    }

    /// Appends the frames at an offset of a file, those that were inlined first.
    fn name(&self, code: &Code, offset: u64, module: Option<&Module>, trace: &mut Trace) {
        let path = clean(&code.path);
        let symbol = module.and_then(|module| self.symbol(module, offset));
        let mut push = |mut frame: Frame| {
            frame.module = Some(path.clone());
            frame.origin = origin::of(&frame);
            trace.frames.push(Arc::new(frame));
        };
        // Go's own table knows lines in any case.
        let go = module.filter(|_| symbol.as_ref().is_none_or(|symbol| symbol.code_info.is_none()));
        if let Some(place) = go.and_then(|module| module.go_place(offset)) {
            push(Frame {
                function: Some(clean(&place.function)),
                file: place.file.as_deref().map(clean),
                line: place.line,
                ..Frame::default()
            });
            return;
        }
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
fn compiled_frame(code: &Code, address: u64, name: Option<String>) -> Frame {
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
            module: Some(if code.path.is_empty() {
                "[compiled at run time]".to_owned()
            } else {
                clean(&code.path)
            }),
            offset: Some(address),
            ..Frame::default()
        },
    };
    frame.origin = origin::of(&frame);
    frame
}

/// The name of an open file, for whoever wants to open it once more.
fn name_of(files: &str, file: &File) -> PathBuf {
    Path::new(files).join(file.as_raw_fd().to_string())
}

/// A name of bounded length.
fn clean(name: &str) -> String {
    if name.len() <= NAME {
        return name.to_owned();
    }
    let kept = name.get(..name.floor_char_boundary(NAME)).unwrap_or_default();
    format!("{kept}…")
}
