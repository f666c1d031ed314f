//! Runs a command under a distribution kernel in QEMU, in a guest that has nothing but loopback.

mod console;
mod cpio;
mod initramfs;
mod kernel;
mod qemu;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

pub(crate) use self::kernel::Series;
use self::qemu::Qemu;
use crate::paths;
use crate::process::say;

/// A file or directory of the host that the guest gets.
#[derive(Clone, Debug)]
pub(crate) struct Include {
    /// Where it is here.
    pub(crate) host: PathBuf,
    /// Where it is there.
    pub(crate) guest: String,
}

/// One run of one command in a fresh guest.
#[derive(Debug)]
pub(crate) struct Vm {
    /// Which kernel to boot.
    pub(crate) kernel: Series,
    /// Names the log.
    pub(crate) name: String,
    /// What the guest gets besides its base system; programs bring their shared libraries.
    pub(crate) files: Vec<Include>,
    /// Kernel modules to load beyond those for `ss`.
    pub(crate) modules: Vec<String>,
    /// The command; its first word may be a path on the host, which is then taken along.
    pub(crate) command: Vec<String>,
    /// Environment of the command.
    pub(crate) env: Vec<(String, String)>,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// Number of processors.
    pub(crate) smp: u32,
    /// Makes one guest instruction one virtual nanosecond, and everything that could differ from run to run (clock,
    /// random numbers) the same; needs one processor.
    pub(crate) icount: bool,
    /// Whether what the console says goes to stdout as it is said, and not only to the log.
    pub(crate) shown: bool,
    /// After this the guest is killed.
    pub(crate) timeout: Duration,
}

/// How a guest's run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The command ended with this code.
    Exited(u8),
    /// The time was over.
    TimedOut,
    /// The kernel panicked.
    Panicked,
    /// The guest went away without a word.
    Vanished,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct VmOutcome {
    /// How it ended.
    pub(crate) ended: Ended,
    /// Everything the console said.
    pub(crate) log: PathBuf,
}

impl VmOutcome {
    /// The command's exit code, or one sentence on why there is none.
    pub(crate) fn exit_code(&self) -> Result<u8> {
        let log = self.log.display();
        match self.ended {
            Ended::Exited(code) => Ok(code),
            Ended::TimedOut => bail!("the command in the VM did not end in time (--timeout); see {log}"),
            Ended::Panicked => bail!("the guest kernel panicked; see {log}"),
            Ended::Vanished => bail!("the guest went away before the command ended; see {log}"),
        }
    }
}

impl Vm {
    /// A guest of the usual size.
    pub(crate) fn new(kernel: Series, name: &str, command: Vec<String>) -> Self {
        Self {
            kernel,
            name: name.to_owned(),
            files: Vec::new(),
            modules: Vec::new(),
            command,
            env: Vec::new(),
            memory: 1024,
            smp: 2,
            icount: false,
            shown: true,
            timeout: Duration::from_mins(5),
        }
    }

    /// Installs and fetches what a guest with this kernel needs, where it is missing.
    pub(crate) fn provide(series: Series) -> Result<()> {
        Qemu::provide()?;
        kernel::fetch(series).map(drop)
    }

    /// Boots, runs the command, powers off.
    pub(crate) fn run(&self) -> Result<VmOutcome> {
        if std::env::consts::ARCH != "x86_64" {
            bail!("VM runs need an x86_64 host: the guest kernels and the programs put into them are x86_64");
        }
        if self.icount && self.smp != 1 {
            bail!("counting instructions (--append-icount) works with one processor only: use --smp 1");
        }
        let qemu = Qemu::provide()?;
        let kernel = kernel::fetch(self.kernel)?;

        let directory = paths::target().join("vm");
        let log = directory
            .join("logs")
            .join(format!("{}-{}.log", self.kernel, self.name));
        let initramfs = directory.join(format!(
            "run/{}-{}-{}.cpio",
            self.kernel,
            self.name,
            std::process::id()
        ));
        for path in [&log, &initramfs] {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
            }
        }
        remove_stale(&directory.join("run"))?;
        let marker = marker();
        initramfs::write(&initramfs, self, &kernel, &marker)?;
        say(format_args!(
            "booting kernel {} ({} MiB, {} CPUs)",
            kernel.release, self.memory, self.smp
        ));
        let ended = self.boot(&qemu, &kernel.image, &initramfs, &log, &marker);
        fs::remove_file(&initramfs).with_context(|| format!("cannot remove {}", initramfs.display()))?;
        Ok(VmOutcome { ended: ended?, log })
    }

    fn boot(&self, qemu: &Qemu, kernel: &Path, initramfs: &Path, log: &Path, marker: &str) -> Result<Ended> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = qemu.command();
        command.args(["-accel", "tcg", "-cpu", "max", "-no-reboot", "-nic", "none"]);
        command.args(["-display", "none", "-monitor", "none", "-serial", "stdio"]);
        // Not `-nographic`: a machine without graphics has its firmware talk on the serial console.
        command.args(["-machine", "graphics=on"]);
        command.args(["-m", &self.memory.to_string(), "-smp", &self.smp.to_string()]);
        if self.icount {
            command.args(["-icount", "shift=0,sleep=off", "-seed", "1"]);
            command.args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
        }
        command.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
        // A kernel fault that a tracing program provokes must end the run, not pass unnoticed.
        command.args(["-append", "console=ttyS0 quiet panic=-1 oops=panic"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().context("cannot start QEMU")?;
        let mut guest = Guest(child);
        let console = guest.0.stdout.take().context("the guest has no console")?;
        let out: Box<dyn io::Write + Send> = if self.shown {
            Box::new(io::stdout())
        } else {
            Box::new(io::sink())
        };
        let ended = console::follow(console, out, file, marker, self.timeout);
        ended.with_context(|| format!("cannot write {}", log.display()))
    }
}

/// A running QEMU; gone at the latest when this is.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Removes the file systems of runs that were killed: each is as large as what the guest got.
fn remove_stale(directory: &Path) -> Result<()> {
    let context = || format!("cannot clean {}", directory.display());
    for entry in fs::read_dir(directory).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let pid = name.rsplit('-').next().unwrap_or_default();
        if Path::new("/proc").join(pid).is_dir() {
            continue;
        }
        match fs::remove_file(&path) {
            // A concurrent run was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.with_context(context)?,
        }
    }
    Ok(())
}

/// A word that no guest program prints by accident.
fn marker() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("xtask-vm-exit-{:x}-{:x}:", std::process::id(), now.as_nanos())
}

/// `HOSTPATH[:GUESTPATH]`; without a guest path it is the same one.
pub(crate) fn parse_include(text: &str) -> Result<Include> {
    let (host, guest) = text
        .split_once(':')
        .map_or((text, None), |(host, guest)| (host, Some(guest)));
    let host = fs::canonicalize(host).with_context(|| format!("cannot include {host}"))?;
    let guest = guest.map_or_else(|| host.to_string_lossy().into_owned(), str::to_owned);
    if !guest.starts_with('/') {
        bail!("the guest path `{guest}` must be absolute");
    }
    Ok(Include { host, guest })
}

/// `NAME=VALUE`.
pub(crate) fn parse_env(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').context("expected NAME=VALUE")?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !is_name(name) {
        bail!("`{name}` is not a variable's name");
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The name of a run on the command line: that of its program.
pub(crate) fn name_of(command: &[String]) -> String {
    let program = command.first().map(OsString::from).unwrap_or_default();
    Path::new(&program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
