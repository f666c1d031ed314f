//! What the doctor found, as a value that prints for people and serialises for programs.

use std::fmt;

use serde::Serialize;

/// Everything found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of the tracer.
    pub version: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Machine type.
    pub machine: String,
    /// The kernel's type information.
    pub btf: BtfReport,
    /// Capabilities, one by one.
    pub capabilities: Vec<CapabilityReport>,
    /// Lockdown mode, if the kernel tells.
    pub lockdown: Option<String>,
    /// Why tracefs is not to be had; `None` if it is.
    pub tracefs: Option<String>,
    /// Where cgroup v2 is mounted.
    pub cgroup2: Option<String>,
    /// Whether capabilities here are those of the host.
    pub initial_user_namespace: bool,
    /// Whether process ids here are those of the host.
    pub initial_pid_namespace: bool,
    /// Default size of the ring buffer.
    pub ring_bytes: u32,
    /// Default size of the socket table.
    pub max_connections: u32,
    /// The backends.
    pub backends: Vec<BackendReport>,
    /// The backend that `--backend auto` would try first with success.
    pub best: Option<String>,
}

/// The kernel's type information.
#[derive(Debug, Serialize)]
pub struct BtfReport {
    /// Where it was looked for.
    pub path: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// One capability.
#[derive(Debug, Serialize)]
pub struct CapabilityReport {
    /// Its name.
    pub name: String,
    /// Whether this process has it.
    pub held: bool,
    /// What it is for.
    pub purpose: String,
}

/// One backend.
#[derive(Debug, Serialize)]
pub struct BackendReport {
    /// Its name.
    pub name: String,
    /// Whether every required program attached.
    pub usable: bool,
    /// Why its maps could not even be created.
    pub error: Option<String>,
    /// Its programs.
    pub programs: Vec<ProgramReport>,
}

/// One program.
#[derive(Debug, Serialize)]
pub struct ProgramReport {
    /// Its name.
    pub name: String,
    /// Where it goes.
    pub hook: String,
    /// Whether the backend is useless without it.
    pub required: bool,
    /// Whether it loaded and attached.
    pub attached: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What is lost without it.
    pub without: Option<String>,
}

fn mark(good: bool) -> &'static str {
    if good { "yes" } else { "no " }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "tracer {} on Linux {} ({})",
            self.version, self.kernel, self.machine
        )?;
        match &self.btf.error {
            None => writeln!(f, "  type information  {}: every field found", self.btf.path)?,
            Some(error) => writeln!(f, "  type information  {}: {error}", self.btf.path)?,
        }
        writeln!(
            f,
            "  lockdown          {}",
            self.lockdown.as_deref().unwrap_or("not told by the kernel")
        )?;
        writeln!(
            f,
            "  tracefs           {}",
            self.tracefs.as_deref().unwrap_or("available")
        )?;
        writeln!(
            f,
            "  cgroup v2         {}",
            self.cgroup2.as_deref().unwrap_or("not mounted")
        )?;
        let pids = if self.initial_pid_namespace {
            "those of the host"
        } else {
            "of a namespace: no self-test"
        };
        writeln!(f, "  process ids       {pids}")?;
        writeln!(
            f,
            "  default sizes     ring buffer {} KiB, {} connections",
            self.ring_bytes / 1024,
            self.max_connections
        )?;
        let reach = if self.initial_user_namespace {
            ""
        } else {
            " (of a user namespace: they do not reach the kernel)"
        };
        writeln!(f, "\ncapabilities{reach}")?;
        for CapabilityReport { name, held, purpose } in &self.capabilities {
            writeln!(f, "  {} {name:<17}{purpose}", mark(*held))?;
        }
        for backend in &self.backends {
            writeln!(
                f,
                "\nbackend {}: {}",
                backend.name,
                if backend.usable { "usable" } else { "not usable" }
            )?;
            if let Some(error) = &backend.error {
                writeln!(f, "  {error}")?;
            }
            for program in &backend.programs {
                write!(f, "  {} {}", mark(program.attached), program.hook)?;
                if let Some(reason) = &program.reason {
                    write!(f, ": {reason}")?;
                }
                if let (false, Some(without)) = (program.attached, &program.without) {
                    write!(f, "; without it {without}")?;
                }
                writeln!(f)?;
            }
        }
        match &self.best {
            Some(best) => {
                writeln!(f, "\ntracer will use the {best} backend.")?;
                let used = self.backends.iter().filter(|backend| backend.name == *best);
                let missing = used
                    .flat_map(|backend| &backend.programs)
                    .filter(|program| !program.attached);
                for without in missing.filter_map(|program| program.without.as_deref()) {
                    writeln!(f, "But {without}.")?;
                }
                Ok(())
            }
            None => writeln!(f, "\ntracer cannot run here."),
        }
    }
}
