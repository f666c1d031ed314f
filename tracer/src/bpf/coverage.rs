//! What is attached, and what is missing: the ground every finding stands on.

use super::plan::{Backend, ProgramPlan};

/// How one program fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramOutcome {
    /// The program.
    pub program: ProgramPlan,
    /// How far it came.
    pub result: Outcome,
}

/// How far a program came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Loaded and attached.
    Attached,
    /// The kernel refused to load it.
    LoadRefused(String),
    /// Loaded, but it could not be attached.
    AttachRefused(String),
}

impl Outcome {
    /// Why it does not run; `None` if it does.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Attached => None,
            Self::LoadRefused(reason) => Some(format!("load refused: {reason}")),
            Self::AttachRefused(reason) => Some(format!("attach refused: {reason}")),
        }
    }
}

/// What a running backend covers.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The backend.
    pub backend: Backend,
    /// Its programs.
    pub programs: Vec<ProgramOutcome>,
}

impl Coverage {
    /// The first required program that does not run: without it the backend cannot be used.
    pub fn failure(&self) -> Option<&ProgramOutcome> {
        self.programs
            .iter()
            .find(|outcome| outcome.program.without.is_none() && outcome.result != Outcome::Attached)
    }

    /// One sentence for each thing that is not seen, or seen late.
    pub fn degraded(&self) -> Vec<String> {
        self.programs
            .iter()
            .filter_map(|outcome| {
                let without = outcome.program.without?;
                let reason = outcome.result.reason()?;
                Some(format!("{without} ({}: {reason})", outcome.program.hook))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::plan::{KernelFacts, programs};

    fn all_attached(backend: Backend) -> Coverage {
        let attached = |program| ProgramOutcome {
            program,
            result: Outcome::Attached,
        };
        Coverage {
            backend,
            programs: programs(backend, KernelFacts::default())
                .into_iter()
                .map(attached)
                .collect(),
        }
    }

    fn refuse(coverage: &mut Coverage, hook: &str) {
        let outcome = coverage
            .programs
            .iter_mut()
            .find(|outcome| outcome.program.hook.to_string() == hook);
        outcome.unwrap().result = Outcome::AttachRefused("no such thing".to_owned());
    }

    #[test]
    fn what_is_optional_degrades_and_says_how() {
        let mut coverage = all_attached(Backend::Tracepoint);
        assert_eq!((coverage.failure(), coverage.degraded()), (None, Vec::new()));
        refuse(&mut coverage, "tracepoint/syscalls/sys_exit_accept");
        assert_eq!(coverage.failure(), None);
        assert_eq!(
            coverage.degraded(),
            [
                "inbound connections taken by accept are not seen (tracepoint/syscalls/sys_exit_accept: attach refused: \
              no such thing)"
            ]
        );
    }

    #[test]
    fn what_is_required_makes_the_backend_unusable() {
        for (backend, hook) in [
            (Backend::Fentry, "fentry/tcp_close"),
            (Backend::Kprobe, "kretprobe/inet_csk_accept"),
            (Backend::Tracepoint, "tp_btf/inet_sock_set_state"),
        ] {
            let mut coverage = all_attached(backend);
            refuse(&mut coverage, hook);
            assert_eq!(
                coverage
                    .failure()
                    .map(|outcome| outcome.program.hook.to_string())
                    .as_deref(),
                Some(hook)
            );
        }
    }
}
