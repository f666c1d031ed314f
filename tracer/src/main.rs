//! The command: parse, run, and turn what went wrong into one sentence and an exit code.

use std::process::ExitCode;

use tracer::{cli, exit};

fn main() -> ExitCode {
    cli::init_logging();
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}
