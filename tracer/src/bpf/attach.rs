//! Loads and attaches one program.

use std::{any::Any, error::Error as _, fs::File, io, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{CgroupAttachMode, Program, ProgramError},
};

use super::{
    coverage::{Outcome, ProgramOutcome},
    environment::cgroup2_root,
    plan::{Hook, ProgramPlan},
};

/// What holds programs on their hooks; dropping one takes its program off.
pub type Links = Vec<Box<dyn Any>>;

/// Loads `plan`'s program and attaches it. A refusal is an outcome, not an error: what cannot run here is for the
/// caller to weigh.
pub fn attach(ebpf: &mut Ebpf, plan: ProgramPlan, btf: &Btf, links: &mut Links) -> ProgramOutcome {
    let result = match ebpf.program_mut(plan.name) {
        None => Outcome::LoadRefused(format!("the kernel object has no program {}", plan.name)),
        Some(program) => match load(program, plan.hook, btf) {
            Err(error) => Outcome::LoadRefused(explain(&error)),
            Ok(()) => match link(program, plan.hook) {
                Err(error) => Outcome::AttachRefused(explain(&error)),
                Ok(link) => {
                    links.push(link);
                    Outcome::Attached
                }
            },
        },
    };
    ProgramOutcome {
        program: plan,
        result,
    }
}

fn load(program: &mut Program, hook: Hook, btf: &Btf) -> Result<(), ProgramError> {
    match (program, hook) {
        (Program::FEntry(program), Hook::Fentry(function)) => program.load(function, btf),
        (Program::FExit(program), Hook::Fexit(function)) => program.load(function, btf),
        (Program::KProbe(program), Hook::Kprobe(_) | Hook::Kretprobe(_)) => program.load(),
        (Program::BtfTracePoint(program), Hook::TpBtf(name)) => program.load(name, btf),
        (Program::TracePoint(program), Hook::Tracepoint(..)) => program.load(),
        (Program::CgroupSock(program), Hook::SockRelease) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn link(program: &mut Program, hook: Hook) -> Result<Box<dyn Any>, ProgramError> {
    /// Attaches, and takes the link out of the program, which would keep it otherwise.
    macro_rules! linked {
        ($program:ident.attach($($argument:expr),*)) => {{
            let id = $program.attach($($argument),*)?;
            Ok(Box::new($program.take_link(id)?))
        }};
    }
    match (program, hook) {
        (Program::FEntry(program), Hook::Fentry(_)) => linked!(program.attach()),
        (Program::FExit(program), Hook::Fexit(_)) => linked!(program.attach()),
        (Program::KProbe(program), Hook::Kprobe(function) | Hook::Kretprobe(function)) => {
            if !kernel_has_kprobes() {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel has no kprobes").into());
            }
            linked!(program.attach(function, 0))
        }
        (Program::BtfTracePoint(program), Hook::TpBtf(_)) => linked!(program.attach()),
        (Program::TracePoint(program), Hook::Tracepoint(category, name)) => {
            linked!(program.attach(category, name))
        }
        (Program::CgroupSock(program), Hook::SockRelease) => {
            let root = File::open(cgroup2_root()?)?;
            // No flags: a link always lets others attach beside it (`cgroup_bpf_link_attach`, kernel/bpf/cgroup.c).
            linked!(program.attach(&root, CgroupAttachMode::Single))
        }
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

/// Kprobes are a performance monitoring unit since Linux 4.17, and files of tracefs before that. Without either the
/// kernel was built without them (`CONFIG_KPROBE_EVENTS`).
fn kernel_has_kprobes() -> bool {
    [
        "/sys/bus/event_source/devices/kprobe",
        "/sys/kernel/tracing/kprobe_events",
    ]
    .iter()
    .any(|path| Path::new(path).exists())
}

/// How the lines begin that the verifier's log ends with, whatever the verdict (`print_verification_stats`,
/// kernel/bpf/verifier.c).
const STATISTICS: [&str; 3] = ["processed ", "stack depth ", "verification time "];

/// The reason in one line. The verifier's log is long; its last words say why.
fn explain(error: &ProgramError) -> String {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        log::debug!("verifier: {verifier_log}");
        let log = verifier_log.to_string();
        let verdict = log
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty() && !STATISTICS.iter().any(|start| line.starts_with(start)));
        return match verdict {
            Some(verdict) => format!("{io_error}: {verdict}"),
            None => io_error.to_string(),
        };
    }
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !reason.contains(&cause_text) {
            reason.push_str(": ");
            reason.push_str(&cause_text);
        }
        source = cause.source();
    }
    reason
}
