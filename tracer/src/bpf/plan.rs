//! Which programs make up a backend. Pure: facts about the kernel in, a list of programs out.

use std::fmt;

use tracer_common::names::program;

/// A set of hooks that together show every open and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Trampolines on the three functions, and the socket tracepoints. First choice: cheapest, never misses.
    Fentry,
    /// Kprobes on the three functions, and the socket tracepoints.
    Kprobe,
    /// Tracepoints only: for kernels that allow neither trampolines nor kprobes.
    Tracepoint,
}

impl Backend {
    /// All backends, best first.
    pub const ALL: [Self; 3] = [Self::Fentry, Self::Kprobe, Self::Tracepoint];

    /// The name used in flags and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a program goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Entry of a kernel function, by trampoline.
    Fentry(&'static str),
    /// Exit of a kernel function, by trampoline.
    Fexit(&'static str),
    /// Entry of a kernel function, by kprobe.
    Kprobe(&'static str),
    /// Return of a kernel function, by kretprobe.
    Kretprobe(&'static str),
    /// A tracepoint with typed arguments.
    TpBtf(&'static str),
    /// A tracepoint of a category, through perf.
    Tracepoint(&'static str, &'static str),
    /// Release of a socket, on the root of the cgroup v2 hierarchy.
    SockRelease,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fentry(function) => write!(f, "fentry/{function}"),
            Self::Fexit(function) => write!(f, "fexit/{function}"),
            Self::Kprobe(function) => write!(f, "kprobe/{function}"),
            Self::Kretprobe(function) => write!(f, "kretprobe/{function}"),
            Self::TpBtf(name) => write!(f, "tp_btf/{name}"),
            Self::Tracepoint(category, name) => write!(f, "tracepoint/{category}/{name}"),
            Self::SockRelease => f.write_str("cgroup/sock_release"),
        }
    }
}

/// One program of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramPlan {
    /// Name in the kernel object.
    pub name: &'static str,
    /// Where it goes.
    pub hook: Hook,
    /// What is lost where it cannot attach; `None` when the backend is useless without it.
    pub without: Option<&'static str>,
}

/// What the choice of programs depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelFacts {
    /// Number of parameters of `inet_csk_accept` by the kernel's BTF: four before Linux 6.10, two since.
    pub accept_parameters: Option<usize>,
}

/// The programs of `backend` on a kernel with these facts.
pub fn programs(backend: Backend, facts: KernelFacts) -> Vec<ProgramPlan> {
    let mut plan = match backend {
        Backend::Fentry => vec![
            required(program::FENTRY_CONNECT, Hook::Fentry("tcp_connect")),
            required(accept_exit(facts), Hook::Fexit("inet_csk_accept")),
            optional(
                program::FENTRY_GRAFT,
                Hook::Fentry("security_sock_graft"),
                "the next accept of a thread that already waits in it is not seen",
            ),
            required(program::FENTRY_CLOSE, Hook::Fentry("tcp_close")),
            required(program::STATE, Hook::TpBtf("inet_sock_set_state")),
        ],
        Backend::Kprobe => vec![
            required(program::KPROBE_CONNECT, Hook::Kprobe("tcp_connect")),
            required(program::KRETPROBE_ACCEPT, Hook::Kretprobe("inet_csk_accept")),
            optional(
                program::KPROBE_GRAFT,
                Hook::Kprobe("security_sock_graft"),
                "where more threads wait in accept than a kretprobe has instances (10 or twice the processors), accepts are not seen",
            ),
            required(program::KPROBE_CLOSE, Hook::Kprobe("tcp_close")),
            required(program::STATE, Hook::TpBtf("inet_sock_set_state")),
        ],
        Backend::Tracepoint => vec![
            required(program::STATE_OPEN, Hook::TpBtf("inet_sock_set_state")),
            required(program::STATE, Hook::TpBtf("inet_sock_set_state")),
            optional(
                program::EXIT_ACCEPT4,
                Hook::Tracepoint("syscalls", "sys_exit_accept4"),
                "inbound connections taken by accept4 are not seen",
            ),
            optional(
                program::EXIT_ACCEPT,
                Hook::Tracepoint("syscalls", "sys_exit_accept"),
                "inbound connections taken by accept are not seen",
            ),
            optional(
                program::SOCK_RELEASE,
                Hook::SockRelease,
                "a close is seen when the kernel destroys the socket, up to minutes late where the peer does not answer",
            ),
        ],
    };
    plan.push(required(program::DESTROY, Hook::TpBtf("tcp_destroy_sock")));
    plan
}

const fn required(name: &'static str, hook: Hook) -> ProgramPlan {
    ProgramPlan {
        name,
        hook,
        without: None,
    }
}

const fn optional(name: &'static str, hook: Hook, without: &'static str) -> ProgramPlan {
    ProgramPlan {
        name,
        hook,
        without: Some(without),
    }
}

/// The variant of the accept program for this kernel's signature. Loading the wrong one fails: the verifier
/// knows the number of arguments.
fn accept_exit(facts: KernelFacts) -> &'static str {
    match facts.accept_parameters {
        Some(4) => program::FEXIT_ACCEPT_4,
        _ => program::FEXIT_ACCEPT_2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(backend: Backend, accept_parameters: Option<usize>) -> Vec<&'static str> {
        programs(backend, KernelFacts { accept_parameters })
            .iter()
            .map(|program| program.name)
            .collect()
    }

    #[test]
    fn the_accept_program_follows_the_signature() {
        assert!(names(Backend::Fentry, Some(4)).contains(&program::FEXIT_ACCEPT_4));
        assert!(names(Backend::Fentry, Some(2)).contains(&program::FEXIT_ACCEPT_2));
        for parameters in [Some(4), Some(2), None] {
            let accepts = names(Backend::Fentry, parameters)
                .iter()
                .filter(|name| name.starts_with("fx_"))
                .count();
            assert_eq!(accepts, 1, "exactly one variant may be attached");
        }
    }

    #[test]
    fn exactly_one_program_of_a_backend_reports_states() {
        for backend in Backend::ALL {
            let states = programs(backend, KernelFacts::default())
                .iter()
                .filter(|planned| planned.name == program::STATE)
                .count();
            assert_eq!(states, 1, "{backend}");
        }
    }

    #[test]
    fn the_tracepoint_backend_needs_neither_trampolines_nor_kprobes() {
        for program in programs(Backend::Tracepoint, KernelFacts::default()) {
            assert!(
                matches!(
                    program.hook,
                    Hook::TpBtf(_) | Hook::Tracepoint(..) | Hook::SockRelease
                ),
                "{}",
                program.hook
            );
        }
    }

    #[test]
    fn kernel_visible_names_are_shown_whole() {
        for backend in Backend::ALL {
            for program in programs(
                backend,
                KernelFacts {
                    accept_parameters: Some(4),
                },
            ) {
                assert!(program.name.len() <= 15, "{}", program.name);
            }
        }
    }
}
