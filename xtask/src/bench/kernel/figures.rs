//! From what the meter counted to figures per connection.

use anyhow::{Result, ensure};
use meter::{Measured, Report};
use serde::{Deserialize, Serialize};

use super::WINDOW_MS;
use super::cases::{Case, Run};

/// The figures of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// `uname -r`.
    pub(super) kernel: String,
    /// The guest's clock source: reading some costs more than reading others.
    pub(super) clock: String,
    /// Connections of a load.
    pub(super) connections: u32,
    /// Instructions of one connection beside nothing, from `socket` to the last `close`.
    pub(super) connection: u64,
    /// What is beside it.
    pub(super) rows: Vec<Row>,
}

/// Instructions per connection, with both its ends in the guest, on top of what it takes beside nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    /// Name of the case.
    pub(super) case: String,
    /// Everything: hooks, programs, wakeups, the user side, and its idling in the second that is counted.
    pub(super) added: i64,
    /// Of these in BPF programs, as the kernel counts them (with 60 or so for each run, which is the counting).
    pub(super) programs: u64,
    /// Of these in the user side's process, by the scheduler's account. Not of tools that wake for every event: theirs
    /// is more than they add, as it takes in what the load had to do anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<u64>,
    /// Instructions of the whole system per second without connections.
    pub(super) idle: i64,
    /// The programs one by one.
    pub(super) by_program: Vec<Program>,
}

/// What one BPF program does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Program {
    /// Its name.
    pub(super) name: String,
    /// Runs per hundred connections.
    pub(super) runs_percent: u64,
    /// Instructions per connection.
    pub(super) instructions: u64,
}

impl Figures {
    /// Those of a report on these cases.
    pub(super) fn new(report: &Report, cases: &[&Case], connections: u32) -> Result<Self> {
        let each = u64::from(connections);
        ensure!(report.cases.len() == cases.len(), "the meter left out a case");
        let Some((nothing, rest)) = report.cases.split_first() else {
            anyhow::bail!("the meter measured nothing");
        };
        ensure!(
            matches!(
                cases.first(),
                Some(Case {
                    run: Run::Nothing,
                    ..
                })
            ),
            "the first case must be nothing: the others are compared with it"
        );
        for (case, measured) in cases.iter().zip(&report.cases) {
            case.judge(measured, each * u64::from(report.loads))?;
        }
        Ok(Self {
            kernel: report.kernel.clone(),
            clock: report.clocksource.clone(),
            connections,
            connection: (nothing.loaded.system - nothing.idle.system) / each,
            rows: rest
                .iter()
                .zip(&cases[1..])
                .map(|(measured, case)| Row::new(case, measured, nothing, each))
                .collect(),
        })
    }
}

impl Row {
    fn new(case: &Case, measured: &Measured, nothing: &Measured, connections: u64) -> Self {
        let by_program: Vec<Program> = measured
            .programs
            .iter()
            .map(|program| Program {
                name: program.name.clone(),
                runs_percent: program.runs * 100 / connections,
                instructions: program.instructions / connections,
            })
            .collect();
        let all: u64 = measured.programs.iter().map(|program| program.instructions).sum();
        let idle = difference(measured.idle.system, nothing.idle.system);
        Self {
            case: measured.name.clone(),
            added: difference(measured.loaded.system, nothing.loaded.system) / connections.cast_signed(),
            programs: all / connections,
            process: matches!(case.run, Run::Tracer(_) | Run::Floor(_))
                .then_some(measured.loaded.process / connections),
            idle: idle * 1_000 / WINDOW_MS.cast_signed(),
            by_program,
        }
    }
}

fn difference(more: u64, less: u64) -> i64 {
    more.cast_signed() - less.cast_signed()
}

#[cfg(test)]
pub(super) mod tests {
    use meter::Work;

    use super::super::cases::CASES;
    use super::*;

    fn measured(name: &str, idle: u64, loaded: u64, process: u64) -> Measured {
        let work = |system, process| Work { system, process };
        Measured {
            name: name.to_owned(),
            idle: work(idle, 0),
            loaded: work(loaded, process),
            programs: vec![meter::Program {
                name: "p".to_owned(),
                runs: 20,
                instructions: 3_000,
            }],
            lines: 0,
            last_line: String::new(),
        }
    }

    #[test]
    fn figures_are_differences_per_connection() {
        let report = Report {
            kernel: "6.12".to_owned(),
            clocksource: "tsc".to_owned(),
            loads: 3,
            cases: vec![
                measured("nothing", 1_000, 81_000, 0),
                measured("floor", 4_000, 131_000, 20_000),
            ],
        };
        let [nothing, floor, ..] = CASES else {
            panic!("two cases")
        };
        let cases = [nothing, floor];
        let figures = Figures::new(&report, &cases, 10);
        assert!(figures.is_err(), "its programs ran 20 times, in 30 connections");
        let report = Report { loads: 2, ..report };
        let figures = Figures::new(&report, &cases, 10).unwrap();
        assert_eq!(figures.connection, 8_000);
        let row = &figures.rows[0];
        assert_eq!(
            (row.added, row.programs, row.process, row.idle),
            (5_000, 300, Some(2_000), 3_000)
        );
        assert_eq!(row.by_program[0].runs_percent, 200);
        assert!(
            Figures::new(&report, &[nothing], 10).is_err(),
            "a case is missing"
        );
    }
}
