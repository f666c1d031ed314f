//! What the typed options mean.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;

use super::args::{
    BackendChoice, Detection, DirectionChoice, Filters, Output, SensitivityChoice, SnapshotChoice,
    StacksChoice, Watch,
};
use crate::{
    bpf::{
        filter::Filter,
        object::{Sizes, StackChoice},
        plan::Backend,
        session::SessionSettings,
    },
    leak::{
        Parameters,
        row::RowParameters,
        stall::StallParameters,
        thresholds::{Sensitivity, Thresholds},
    },
    model::{connection::Direction, ledger::Limits},
    record::RecordSettings,
};

/// What the analysis needs to know, live or of a recording.
#[derive(Clone, Debug)]
pub struct AnalysisSettings {
    /// How much to remember.
    pub limits: Limits,
    /// When to alert.
    pub rules: Parameters,
    /// How to print.
    pub output: Output,
    /// Rows of each part of the table.
    pub rows: usize,
    /// Whether only what is asked for at the end is printed.
    pub silent: bool,
    /// Whether findings show the frames of libraries.
    pub full_stacks: bool,
}

/// Everything the runtime needs to know.
#[derive(Debug)]
pub struct Settings {
    /// How to trace.
    pub session: SessionSettings,
    /// How to judge and to tell.
    pub analysis: AnalysisSettings,
    /// How often to print the table; `None` for the default of the place where it is printed.
    pub interval: Option<Duration>,
    /// When to stop.
    pub duration: Option<Duration>,
    /// Whether every stack that has something open in the end is looked up, however little it is.
    pub looks_all_up: bool,
    /// How often to compare with the kernel's descriptor tables.
    pub reconcile: Duration,
    /// How to read the kernel's descriptor tables.
    pub snapshots: SnapshotChoice,
    /// Share of the records to drop, from 0 to 1.
    pub simulate_loss: f64,
    /// Where the kernel's type information is.
    pub btf: PathBuf,
    /// Where to record what happens.
    pub record: Option<RecordSettings>,
}

impl Watch {
    /// The settings. Kernel-side diagnostics are on only if somebody asked for logs.
    ///
    /// # Errors
    /// When a number does not fit this machine.
    pub fn into_settings(self, logs_asked_for: bool) -> anyhow::Result<Settings> {
        let size = |number: u64| usize::try_from(number).context("a count does not fit this machine");
        let backends = match self.backend {
            BackendChoice::Auto => Backend::ALL.to_vec(),
            BackendChoice::Fentry => vec![Backend::Fentry],
            BackendChoice::Kprobe => vec![Backend::Kprobe],
            BackendChoice::Tracepoint => vec![Backend::Tracepoint],
        };
        let filter = self.filters.into_filter();
        let analysis = AnalysisSettings {
            limits: Limits {
                connections: size(self.max_connections)?,
                groups: size(self.max_groups)?,
                ..Limits::default()
            },
            rules: self.detection.into_rules(&filter)?,
            output: self.output,
            rows: size(self.rows)?,
            silent: false,
            full_stacks: self.full_stacks,
        };
        let connections = u32::try_from(self.max_connections).context("--max-connections is too large")?;
        Ok(Settings {
            session: SessionSettings {
                backends,
                filter,
                sizes: Sizes {
                    ring_bytes: self.ring_size,
                    connections,
                    stacks: u32::try_from(self.max_stacks).context("--max-stacks is too large")?,
                },
                stacks: match self.stacks {
                    StacksChoice::Off => StackChoice::Off,
                    StacksChoice::Outbound => StackChoice::Outbound,
                    StacksChoice::All => StackChoice::All,
                },
                log_level: if logs_asked_for { log_level() } else { 0 },
            },
            analysis,
            interval: self.interval,
            duration: self.duration,
            looks_all_up: false,
            reconcile: self.reconcile,
            snapshots: self.snapshots,
            simulate_loss: self.simulate_loss,
            btf: self.btf,
            record: self.record.map(|path| RecordSettings {
                path,
                size: self.record_size,
                total: self.record_total,
            }),
        })
    }
}

impl Detection {
    /// The rules for what a filter lets in.
    ///
    /// # Errors
    /// When a threshold makes no sense, or a number does not fit this machine.
    pub fn into_rules(self, filter: &Filter) -> anyhow::Result<Parameters> {
        let mut thresholds = Thresholds::new(match self.sensitivity {
            SensitivityChoice::Low => Sensitivity::Low,
            SensitivityChoice::Normal => Sensitivity::Normal,
            SensitivityChoice::High => Sensitivity::High,
        });
        for setting in &self.threshold {
            thresholds.set(setting).map_err(anyhow::Error::msg)?;
        }
        let stall = StallParameters {
            min_waiting: u32::try_from(self.stall_waiting).context("--stall-waiting is too large")?,
            min_wait: self.stall_wait,
            ..StallParameters::default()
        };
        Ok(Parameters {
            thresholds,
            row: self.min_opened.map(|min_opened| RowParameters {
                min_opened,
                min_span: self.min_span,
                window: self.window,
            }),
            // What clients of a server here would see is not asked for where only outbound connections are.
            stall: (filter.direction != Some(Direction::Outbound)).then_some(stall),
        })
    }
}

impl Filters {
    /// The filter that they make up.
    pub fn into_filter(self) -> Filter {
        let direction = self.direction.map(|direction| match direction {
            DirectionChoice::Outbound => Direction::Outbound,
            DirectionChoice::Inbound => Direction::Inbound,
        });
        Filter {
            ports: self.port,
            pids: self.pid,
            comms: self.comm,
            peers: self.peer,
            direction,
        }
    }
}

/// The highest level anybody would read, as the kernel side numbers levels (`aya_log_common::Level`).
fn log_level() -> u8 {
    match log::max_level() {
        log::LevelFilter::Off => 0,
        log::LevelFilter::Error => 1,
        log::LevelFilter::Warn => 2,
        log::LevelFilter::Info => 3,
        log::LevelFilter::Debug => 4,
        log::LevelFilter::Trace => 5,
    }
}
