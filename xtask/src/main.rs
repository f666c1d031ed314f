//! `cargo xtask`: builds, runs and tests tracer on a machine that has only Rust, and sets up what is missing.

mod apt;
mod bench;
mod demo;
mod ebpf;
mod evaluate;
mod failures;
mod fuzz;
mod layering;
mod lint;
mod neighbours;
mod paths;
mod process;
mod program;
mod source;
mod tally;
mod test;
mod toolchain;
mod vm;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the kernel programs into target/ebpf/tracer-ebpf.o
    BuildEbpf,
    /// Build the kernel programs and the release binary around them
    Build {
        /// Link the C library into the binary, which then runs in any container or guest
        #[arg(long)]
        r#static: bool,
    },
    /// Build and run tracer, as root or through sudo
    Run {
        /// Arguments of tracer
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Run all tests: unit, command line, fuzzing, kernels 6.1 and 6.12 in QEMU, the demo
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Check format, lints, documentation, layering, dependencies
    Lint,
    /// Run the fuzz targets for a bounded time
    Fuzz {
        /// Seconds per target
        #[arg(long, default_value_t = fuzz::DEFAULT_SECONDS, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
        /// Only this target
        target: Option<String>,
    },
    /// Run a command under a distribution kernel in QEMU
    Vm(VmArgs),
    /// Replay the founding incident end to end; fails if anything is not seen
    Demo,
    /// Measure on labelled workloads how well the detector tells leaks from the healthy
    #[command(disable_help_flag = true)]
    Evaluate {
        /// Arguments of the evaluation; --help shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure what tracing costs
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Watch real servers under healthy load, without a leak and with one; fails unless exactly the leak is found
    Neighbours(neighbours::Settings),
}

#[derive(Args)]
struct VmArgs {
    /// Kernel series to boot
    #[arg(long, value_enum)]
    kernel: vm::Series,
    /// Seconds after which the guest is killed
    #[arg(long, default_value_t = 300, value_name = "SECS")]
    timeout: u64,
    /// Guest memory in MiB
    #[arg(long, default_value_t = 1024, value_name = "MB")]
    memory: u32,
    /// Guest processors [default: 2, with --append-icount 1]
    #[arg(long, value_name = "N")]
    smp: Option<u32>,
    /// Make one guest instruction one virtual nanosecond: repeatable times, whatever else the host does
    #[arg(long)]
    append_icount: bool,
    /// Put a file or directory into the guest; programs bring their shared libraries
    #[arg(long, value_name = "HOSTPATH[:GUESTPATH]", value_parser = vm::parse_include)]
    include: Vec<vm::Include>,
    /// Load a kernel module and what it depends on
    #[arg(long, value_name = "NAME")]
    module: Vec<String>,
    /// Set a variable for the command
    #[arg(long, value_name = "NAME=VALUE", value_parser = vm::parse_env)]
    env: Vec<(String, String)>,
    /// The command; a program given as a path on this machine is put into the guest
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            process::say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::BuildEbpf => {
            ebpf::build()?;
        }
        Task::Build { r#static: true } => {
            program::build(program::Linking::Static)?;
        }
        Task::Build { r#static: false } => {
            program::build(program::Linking::Dynamic)?;
        }
        Task::Run { args } => program::run(&args)?,
        Task::Test { filter } => {
            // Nothing may follow its closing line, so its failure is not an error here.
            return Ok(if test::run(filter.as_deref()) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Task::Lint => lint::run()?,
        Task::Fuzz { seconds, target } => {
            fuzz::run(target.as_deref(), seconds)?;
        }
        Task::Vm(args) => return in_vm(args),
        Task::Demo => demo::run()?,
        Task::Evaluate { args } => return evaluate::run(&args),
        Task::Bench(what) => return bench::run(what),
        Task::Neighbours(settings) => neighbours::run(&settings)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn in_vm(args: VmArgs) -> Result<ExitCode> {
    let name = vm::name_of(&args.command);
    let guest = vm::Vm {
        files: args.include,
        modules: args.module,
        env: args.env,
        memory: args.memory,
        smp: args.smp.unwrap_or(if args.append_icount { 1 } else { 2 }),
        icount: args.append_icount,
        shown: true,
        timeout: Duration::from_secs(args.timeout),
        ..vm::Vm::new(args.kernel, &name, args.command)
    };
    Ok(ExitCode::from(guest.run()?.exit_code()?))
}
