//! What is put beside the load.

use anyhow::{Result, ensure};
use meter::Measured;
use serde_json::Value;

use super::GUEST;

/// One row of the table.
pub(super) struct Case {
    /// What it is called in the table, the figures and the gate.
    pub(super) name: &'static str,
    /// What runs.
    pub(super) run: Run,
}

/// What runs beside the load.
pub(super) enum Run {
    /// Nothing: what the connections themselves cost.
    Nothing,
    /// Programs of `tracer-ebpf/src/floor.rs` whose names begin so.
    Floor(&'static str),
    /// The tracer with these flags.
    Tracer(&'static [&'static str]),
    /// A tool of Debian's libbpf-tools, without arguments.
    Debian {
        tool: &'static str,
        /// Lines that it prints at least for each connection, both ends seen.
        lines: u64,
    },
}

/// The rows of the table, in the order in which they are measured. The nothing at the end shows what the guest itself
/// has changed meanwhile.
pub(super) const CASES: &[Case] = &[
    case("nothing", Run::Nothing),
    case("floor: empty programs", Run::Floor("e_")),
    case("floor: bare ring", Run::Floor("r_")),
    case("tracer fentry", Run::Tracer(&["--backend", "fentry"])),
    case("tracer kprobe", Run::Tracer(&["--backend", "kprobe"])),
    case("tracer tracepoint", Run::Tracer(&["--backend", "tracepoint"])),
    case(
        "tracer fentry, no stacks",
        Run::Tracer(&["--backend", "fentry", "--stacks", "off"]),
    ),
    case(
        "tracer kprobe, no stacks",
        Run::Tracer(&["--backend", "kprobe", "--stacks", "off"]),
    ),
    case(
        "tracer tracepoint, no stacks",
        Run::Tracer(&["--backend", "tracepoint", "--stacks", "off"]),
    ),
    case("tcpconnect", debian("tcpconnect", 1)),
    case("tcplife", debian("tcplife", 1)),
    case("tcptracer", debian("tcptracer", 3)),
    case("tcpstates", debian("tcpstates", 8)),
    case("nothing, again", Run::Nothing),
];

const fn case(name: &'static str, run: Run) -> Case {
    Case { name, run }
}

const fn debian(tool: &'static str, lines: u64) -> Run {
    Run::Debian { tool, lines }
}

impl Case {
    /// As the meter gets it.
    pub(super) fn planned(&self) -> meter::Case {
        let argv = match &self.run {
            Run::Nothing => Vec::new(),
            Run::Floor(prefix) => words(&[
                &format!("{GUEST}/meter"),
                "floor",
                &format!("{GUEST}/floor.o"),
                prefix,
            ]),
            Run::Tracer(flags) => {
                let mut argv = words(&[&format!("{GUEST}/tracer"), "--output", "json"]);
                argv.extend(words(flags));
                argv
            }
            Run::Debian { tool, .. } => words(&[&format!("{GUEST}/{tool}")]),
        };
        meter::Case {
            name: self.name.to_owned(),
            argv,
        }
    }

    /// Fails if what ran did not do its work: its figures would say nothing.
    pub(super) fn judge(&self, measured: &Measured, connections: u64) -> Result<()> {
        let name = self.name;
        match &self.run {
            Run::Nothing => Ok(()),
            Run::Floor(_) => {
                let runs: u64 = measured.programs.iter().map(|program| program.runs).sum();
                ensure!(runs >= connections, "{name}: its programs ran {runs} times only");
                Ok(())
            }
            Run::Debian { lines, .. } => {
                let expected = lines * connections;
                ensure!(
                    measured.lines >= expected,
                    "{name} printed {} lines, not {expected}",
                    measured.lines
                );
                Ok(())
            }
            Run::Tracer(_) => judge_summary(name, &measured.last_line, connections),
        }
    }
}

/// The tracer must have seen both ends of every connection open and close, and lost nothing.
fn judge_summary(name: &str, summary: &str, connections: u64) -> Result<()> {
    let summary: Value = serde_json::from_str(summary)?;
    let number = |pointer: &str| summary.pointer(pointer).and_then(Value::as_u64);
    let ends = Some(2 * connections);
    for total in ["/total/opened", "/total/closed"] {
        let found = number(total);
        ensure!(
            found == ends,
            "{name}: {total} is {found:?} and should be {ends:?}"
        );
    }
    for [left, right] in [
        ["seen", "submitted"],
        ["submitted", "received"],
        ["received", "decoded"],
    ] {
        let of = |name| number(&format!("/books/{name}"));
        let is_whole = of(left).is_some() && of(left) == of(right);
        ensure!(is_whole, "{name}: {left} is not {right}: {summary}");
    }
    Ok(())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracer_that_missed_one_end_is_not_measured() {
        let summary = |opened, closed, submitted| {
            format!(
                r#"{{"type":"summary","total":{{"opened":{opened},"closed":{closed}}},"books":{{"seen":40,
                "submitted":{submitted},"received":40,"decoded":40}}}}"#
            )
        };
        assert!(judge_summary("t", &summary(20, 20, 40), 10).is_ok());
        assert!(judge_summary("t", &summary(19, 19, 40), 10).is_err());
        assert!(judge_summary("t", &summary(20, 19, 40), 10).is_err());
        assert!(judge_summary("t", &summary(20, 20, 39), 10).is_err());
        assert!(judge_summary("t", "", 10).is_err());
        assert!(judge_summary("t", r#"{"type":"table"}"#, 10).is_err());
    }

    #[test]
    fn a_silent_tool_is_not_measured() {
        let case = case("tcplife", debian("tcplife", 2));
        let work = meter::Work {
            system: 1,
            process: 0,
        };
        let measured = |lines| Measured {
            name: String::new(),
            idle: work,
            loaded: work,
            programs: Vec::new(),
            lines,
            last_line: String::new(),
        };
        assert!(case.judge(&measured(20), 10).is_ok());
        assert!(case.judge(&measured(19), 10).is_err());
    }
}
