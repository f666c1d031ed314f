//! What must be there before the kernel is asked for anything; if it is not, the answer can name it.

use std::{fs, path::Path};

use crate::{
    bpf::{filter::Filter, object::KernelTypes, preflight},
    exit::NotPossible,
};

/// Privileges, and the process ids that the filter means.
///
/// # Errors
/// What is missing, and what to do.
pub fn privileges(filter: &Filter) -> Result<(), NotPossible> {
    if !preflight::in_initial_user_namespace() {
        let why = "tracing is not permitted in a user namespace, whatever capabilities it shows: run tracer as root on \
                   the host";
        return Err(NotPossible(why.to_owned()));
    }
    if !filter.pids.is_empty() && !preflight::in_initial_pid_namespace() {
        let why = "--pid needs the process ids of the host, and this is a PID namespace: run tracer in the host's, or \
                   use --comm";
        return Err(NotPossible(why.to_owned()));
    }
    let missing = preflight::missing(&preflight::held_capabilities());
    if missing.is_empty() {
        return Ok(());
    }
    let these = if missing.len() == 1 {
        "a capability"
    } else {
        "capabilities"
    };
    Err(NotPossible(format!(
        "tracing needs {these} that this process does not have ({}): run it as root, for example with sudo",
        missing.join(", ")
    )))
}

/// The kernel's type information.
///
/// # Errors
/// When it is missing, or is no such thing.
pub fn kernel_types(path: &Path) -> Result<KernelTypes, NotPossible> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| {
        NotPossible(format!(
            "the kernel's type information cannot be read from {shown}: {error}"
        ))
    })?;
    KernelTypes::new(&bytes).map_err(|error| NotPossible(format!("{shown}: {error}")))
}
