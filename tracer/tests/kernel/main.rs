//! The tracer against real kernels.
//!
//! Every scenario runs once per backend, or with the best one if it is about what comes behind the hooks, with the tracer
//! as a child process, and compares what the tracer says with what is known otherwise: what the test programs did, and
//! what the kernel lists. One test at a time, as root: the tracer watches the whole machine.
//!
//! `TRACER_BIN` names the tracer (default: the one cargo built). `TRACER_TEST_REQUIRE=fentry,kprobe,tracepoint` names
//! the backends that must work here; the tests of any other are skipped where it does not.

mod context;
mod harness;
mod ledger;
mod lines;
mod order;
mod programs;
mod puppet;
mod role;
mod said;
mod scenarios;
mod scene;
mod scratch;
mod stream;
mod tracer_process;
mod witness;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == role::WORD) {
        return role::main();
    }
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == programs::WORD)
    {
        return programs::main();
    }
    harness::main()
}
