//! Exit codes and the last word on stderr.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | ended normally, also by a signal, by `--duration`, or because the reader of stdout went away |
//! | 1 | runtime fault, for example stdout cannot be written |
//! | 2 | usage: an unknown flag or a value that makes no sense |
//! | 3 | this kernel, or the privileges of this process, do not allow tracing |

use std::{io::Write as _, process::ExitCode};

use thiserror::Error;

/// Tracing is not possible here, as opposed to something going wrong while tracing.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct NotPossible(pub String);

/// Code 3.
const NOT_POSSIBLE: u8 = 3;
/// Code 1.
const FAULT: u8 = 1;

/// Says what went wrong in one line, and gives the code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    // If stderr cannot be written either, the code must do.
    let _: std::io::Result<()> = writeln!(anstream::stderr(), "tracer: {error:#}");
    let code = if error.downcast_ref::<NotPossible>().is_some() {
        NOT_POSSIBLE
    } else {
        FAULT
    };
    ExitCode::from(code)
}
