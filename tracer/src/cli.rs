//! The command line: what can be typed ([`args`]), and what it means ([`settings`]).

pub mod args;
pub mod print;
pub mod settings;
pub mod values;

use std::env;

use clap::Parser as _;

use args::{Args, Command};

use crate::{
    doctor,
    leak::thresholds,
    list,
    output::record,
    replay, runtime,
    symbols::{fetcher, parser},
};

/// Logs go to stderr; `RUST_LOG` says how much, warnings if it is not set.
pub fn init_logging() {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
}

/// Parses the command line and does what it says.
///
/// # Errors
/// What [`exit::report`](crate::exit::report) tells the user.
pub fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.command {
        Some(Command::List(options)) => list::run(options.validated().unwrap_or_else(|error| error.exit())),
        Some(Command::Replay(options)) => replay::run(options),
        Some(Command::Doctor(doctor)) => doctor::run(&doctor),
        Some(Command::Thresholds) => print::print(&thresholds::named::table()),
        Some(Command::Symbolize { parser: true }) => parser::main(),
        Some(Command::Symbolize { parser: false }) => fetcher::main(),
        Some(Command::Schema) => print::print(&(serde_json::to_string_pretty(&record::schema())? + "\n")),
        None => runtime::run(&args.watch.into_settings(env::var_os("RUST_LOG").is_some())?),
    }
}
