//! Programs in other languages that leak in a known function, compiled here.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};

use crate::lines::{Lines, Next, PATIENCE};

/// The argument that makes this binary compile the programs into a directory, for guests that have no compilers.
pub const WORD: &str = "__programs";

/// One way to make a program.
pub struct Recipe {
    /// Name of the program.
    pub name: &'static str,
    /// Name of its source.
    pub source: &'static str,
    text: &'static str,
    compiler: &'static str,
    /// The last one names the output.
    flags: &'static [&'static str],
    /// Whether its symbols are removed.
    strip: bool,
}

const C: &str = include_str!("programs/leak.c");
const MANY: &str = include_str!("programs/many.c");
const CPP: &str = include_str!("programs/leak.cc");
const RUST: &str = include_str!("programs/leak.rs");
const GO: &str = include_str!("programs/leak.go");
/// For Node.
pub const NODE: &str = include_str!("programs/leak.js");
/// For Python.
pub const PYTHON: &str = include_str!("programs/leak.py");

/// Statically linked, so that they run in guests.
const RECIPES: [Recipe; 9] = [
    Recipe {
        name: "many-c",
        source: "many.c",
        text: MANY,
        compiler: "cc",
        // Tail calls would shorten the stacks.
        flags: &[
            "-O1",
            "-fno-omit-frame-pointer",
            "-fno-optimize-sibling-calls",
            "-static",
            "-o",
        ],
        strip: false,
    },
    Recipe {
        name: "leak-c",
        source: "leak.c",
        text: C,
        compiler: "cc",
        flags: &["-g", "-O2", "-fno-omit-frame-pointer", "-static", "-o"],
        strip: false,
    },
    Recipe {
        name: "leak-c-bare",
        source: "leak.c",
        text: C,
        compiler: "cc",
        flags: &["-g", "-O2", "-fomit-frame-pointer", "-static", "-o"],
        strip: false,
    },
    Recipe {
        name: "leak-c-strip",
        source: "leak.c",
        text: C,
        compiler: "cc",
        flags: &[
            "-O2",
            "-fno-omit-frame-pointer",
            "-static",
            "-Wl,--build-id=sha1",
            "-o",
        ],
        strip: true,
    },
    Recipe {
        name: "leak-cpp",
        source: "leak.cc",
        text: CPP,
        compiler: "c++",
        flags: &["-g", "-O2", "-fno-omit-frame-pointer", "-static", "-o"],
        strip: false,
    },
    Recipe {
        name: "leak-rust",
        source: "leak.rs",
        text: RUST,
        compiler: "rustc",
        flags: &[
            "-g",
            "-O",
            "-Cforce-frame-pointers=yes",
            "-Ctarget-feature=+crt-static",
            "--edition=2024",
            "-o",
        ],
        strip: false,
    },
    Recipe {
        name: "leak-go",
        source: "leak.go",
        text: GO,
        compiler: "go",
        flags: &["build", "-o"],
        strip: false,
    },
    // As programs are shipped.
    Recipe {
        name: "leak-go-strip",
        source: "leak.go",
        text: GO,
        compiler: "go",
        flags: &["build", "-trimpath", "-ldflags=-s -w", "-o"],
        strip: true,
    },
    Recipe {
        name: "leak-go-pie",
        source: "leak.go",
        text: GO,
        compiler: "go",
        flags: &["build", "-buildmode=pie", "-ldflags=-s -w", "-o"],
        strip: true,
    },
];

/// Compiles the programs into the directory that is named next.
pub fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(2) else {
        eprintln!("{WORD} DIRECTORY");
        return ExitCode::FAILURE;
    };
    match compile_all(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Compiles what there are compilers for.
fn compile_all(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    for recipe in &RECIPES {
        if let Err(error) = recipe.compile(directory) {
            eprintln!("{} is not compiled: {error:#}", recipe.name);
        }
    }
    Ok(())
}

impl Recipe {
    /// The one of this name.
    pub fn of(name: &str) -> anyhow::Result<&'static Self> {
        RECIPES
            .iter()
            .find(|recipe| recipe.name == name)
            .with_context(|| format!("there is no program {name}"))
    }

    /// The number of the line that is marked.
    pub fn marked_line(&self) -> anyhow::Result<u32> {
        marked_line(self.text)
    }

    /// The program: compiled before, or now. `None` if there is no compiler.
    pub fn program(&self, scratch: &Path) -> anyhow::Result<Option<PathBuf>> {
        if let Some(directory) = env::var_os("TRACER_TEST_PROGRAMS") {
            let program = Path::new(&directory).join(self.name);
            return Ok(program.exists().then_some(program));
        }
        if !has(self.compiler) {
            return Ok(None);
        }
        self.compile(scratch).map(Some)
    }

    fn compile(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let source = directory.join(self.source);
        fs::write(&source, self.text)?;
        let program = directory.join(self.name);
        let mut command = Command::new(self.compiler);
        command.args(self.flags).arg(&program).arg(&source);
        // Go wants somewhere to put things.
        command
            .env("GOCACHE", env::temp_dir().join("tracer-test-go"))
            .env("GO111MODULE", "off");
        run(&mut command)?;
        if self.strip {
            run(Command::new("strip").arg(&program))?;
        }
        Ok(program)
    }
}

/// The number of the line that holds the mark.
pub fn marked_line(text: &str) -> anyhow::Result<u32> {
    let index = text
        .lines()
        .position(|line| line.contains("LEAK"))
        .context("no mark")?;
    Ok(u32::try_from(index + 1)?)
}

/// Whether a program is on the path.
pub fn has(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).exists())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// A running program that ends with its stdin; killed when dropped.
pub struct Running {
    child: Child,
    said: Lines,
}

impl Running {
    /// Runs a command until it is dropped.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let said = Lines::of(child.stdout.take().context("no stdout")?);
        Ok(Self { child, said })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says something.
    pub fn wait(&self) -> anyhow::Result<()> {
        match self.said.next(Instant::now() + PATIENCE) {
            Next::Line(_) => Ok(()),
            Next::End | Next::Nothing => bail!("the program does not finish"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail harmlessly for a child that is gone.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<_> = self.child.wait();
    }
}
