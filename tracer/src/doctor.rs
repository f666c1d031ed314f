//! `tracer doctor`: what this kernel and these privileges allow, found out by trying.

mod report;

use std::fs;

use crate::{
    bpf::{environment, object::KernelTypes, plan::Backend, preflight, session::try_all},
    cli::{
        args::{Doctor, Output},
        print::print,
    },
    exit::NotPossible,
};
use report::{BackendReport, BtfReport, CapabilityReport, ProgramReport, Report};

/// Tries everything, prints the findings.
///
/// # Errors
/// When no backend works, or stdout cannot be written.
pub fn run(args: &Doctor) -> anyhow::Result<()> {
    let report = examine(args);
    let text = match args.output {
        Output::Text => report.to_string(),
        Output::Json => serde_json::to_string(&report)? + "\n",
    };
    print(&text)?;
    match report.best {
        Some(_) => Ok(()),
        None => Err(NotPossible("no backend can be used here; the reasons stand above".to_owned()).into()),
    }
}

fn examine(args: &Doctor) -> Report {
    let tracefs = environment::ensure_tracefs().map_err(|error| error.to_string());
    let types = fs::read(&args.btf)
        .map_err(|error| error.to_string())
        .and_then(|bytes| KernelTypes::new(&bytes).map_err(|error| error.to_string()));
    let backends: Vec<BackendReport> = match &types {
        Ok(types) => Backend::ALL
            .into_iter()
            .map(|backend| backend_report(types, backend))
            .collect(),
        Err(_) => Vec::new(),
    };
    let best = backends
        .iter()
        .find(|backend| backend.usable)
        .map(|backend| backend.name.clone());
    let uname = rustix::system::uname();
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: uname.release().to_string_lossy().into_owned(),
        machine: uname.machine().to_string_lossy().into_owned(),
        btf: BtfReport {
            path: args.btf.display().to_string(),
            error: types.err(),
        },
        capabilities: preflight::held_capabilities()
            .into_iter()
            .map(|capability| CapabilityReport {
                name: capability.name.to_owned(),
                held: capability.held,
                purpose: capability.purpose.to_owned(),
            })
            .collect(),
        lockdown: preflight::lockdown(),
        tracefs: tracefs.err(),
        cgroup2: environment::cgroup2_root()
            .map(|path| path.display().to_string())
            .ok(),
        initial_user_namespace: preflight::in_initial_user_namespace(),
        initial_pid_namespace: preflight::in_initial_pid_namespace(),
        ring_bytes: crate::bpf::object::Sizes::default().ring_bytes,
        max_connections: crate::bpf::object::Sizes::default().connections,
        backends,
        best,
    }
}

fn backend_report(types: &KernelTypes, backend: Backend) -> BackendReport {
    match try_all(types, backend) {
        Err(error) => BackendReport {
            name: backend.name().to_owned(),
            usable: false,
            error: Some(error.to_string()),
            programs: Vec::new(),
        },
        Ok(outcomes) => BackendReport {
            name: backend.name().to_owned(),
            usable: outcomes
                .iter()
                .all(|outcome| outcome.result.reason().is_none() || outcome.program.without.is_some()),
            error: None,
            programs: outcomes
                .iter()
                .map(|outcome| ProgramReport {
                    name: outcome.program.name.to_owned(),
                    hook: outcome.program.hook.to_string(),
                    required: outcome.program.without.is_none(),
                    attached: outcome.result.reason().is_none(),
                    reason: outcome.result.reason(),
                    without: outcome.program.without.map(str::to_owned),
                })
                .collect(),
        },
    }
}
