//! What the tracer told, judged.

use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use serde_json::Value;

/// Records that accuse nobody. What is in no list counts as a finding, so that a new kind cannot pass unseen.
const NEUTRAL: [&str; 4] = ["started", "table", "loss", "summary"];
/// The counts of the books that mean lost events.
const LOSSES: [&str; 7] = [
    "ring_full",
    "map_full",
    "unreadable",
    "program_misses",
    "probe_misses",
    "rejected",
    "untracked",
];

/// Findings that are shown of those that should not be.
const SHOWN: usize = 20;

/// One line of the tracer.
pub(super) struct Record {
    /// Time since the tracer was attached.
    pub(super) after: Duration,
    /// What it says.
    pub(super) value: Value,
}

impl Record {
    /// Whether it is of this type.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.value["type"] == kind
    }
}

/// All that the tracer told, from `started` to `summary`.
pub(super) struct Told {
    records: Vec<Record>,
    table: Value,
    books: Value,
}

impl Told {
    /// Complete only with its closing table and summary.
    pub(super) fn new(records: Vec<Record>) -> Result<Self> {
        let last = |kind: &str| {
            let record = records.iter().rev().find(|record| record.is(kind));
            record.with_context(|| format!("the tracer told no `{kind}`"))
        };
        let table = last("table")?.value.clone();
        let books = last("summary")?.value["books"].clone();
        Ok(Self {
            records,
            table,
            books,
        })
    }

    fn findings(&self) -> impl Iterator<Item = &Record> {
        let is_neutral = |record: &Record| NEUTRAL.iter().any(|kind| record.is(kind));
        self.records.iter().filter(move |record| !is_neutral(record))
    }
}

/// How to know the leak among the findings.
pub(super) struct Culprit {
    /// Its process.
    pub(super) pid: u32,
    /// The address it connects from, and nobody else does.
    pub(super) source: &'static str,
    /// When it began, since the tracer was attached.
    pub(super) begun: Duration,
}

impl Culprit {
    /// Whether a finding names the process.
    fn is_named(&self, finding: &Value) -> bool {
        finding["process"]["pid"] == self.pid
    }

    /// Whether a finding is the same leak, told of its server.
    fn is_seen_at_its_server(&self, finding: &Value) -> bool {
        finding["direction"] == "inbound" && finding["peer"] == self.source
    }
}

/// One thing that must hold, with figures.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) holds: bool,
    pub(super) text: String,
}

impl Check {
    fn new(holds: bool, text: String) -> Self {
        Self { holds, text }
    }

    /// All that is left to say of a scene that broke off.
    pub(super) fn cannot_be_made(error: &Error) -> Self {
        Self::new(false, format!("broke off: {error:#}"))
    }
}

/// The load was there, and the tracer saw it.
pub(super) fn connections_seen(told: &Told, server: &str, port: u16, at_least: u64) -> Check {
    let rows = told.table["peers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let seen: u64 = rows
        .iter()
        .filter(|row| row["service_port"] == port && row["direction"] == "outbound")
        .flat_map(|row| [&row["older"], &row["opened"]])
        .filter_map(Value::as_u64)
        .sum();
    Check::new(
        seen >= at_least && at_least > 0,
        format!("{server}: {seen} connections seen, at least {at_least} meant"),
    )
}

/// Every event is accounted for.
pub(super) fn books_balance(told: &Told) -> Check {
    let books = &told.books;
    let sum = |names: &[&str]| {
        names
            .iter()
            .map(|name| books[*name].as_u64())
            .sum::<Option<u64>>()
    };
    let balances = |left: &str, right: &[&str]| {
        let left = sum(&[left]);
        left.is_some() && left == sum(right)
    };
    let holds = balances("seen", &["submitted", "ring_full", "map_full", "unreadable"])
        && balances("submitted", &["received"])
        && balances("received", &["decoded", "rejected", "simulated"]);
    let lost = sum(&LOSSES);
    let figure = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    Check::new(
        holds && lost.is_some(),
        format!(
            "the books balance: {} events seen, {} lost",
            figure(sum(&["seen"])),
            figure(lost)
        ),
    )
}

/// Nobody was accused of anything.
pub(super) fn nobody_accused(told: &Told) -> Check {
    nobody_but("nobody is accused", told.findings())
}

/// The leak was found, and nobody else accused.
pub(super) fn only_accused(told: &Told, culprit: &Culprit) -> Vec<Check> {
    let named = told.findings().find(|finding| culprit.is_named(&finding.value));
    let found = match named {
        Some(finding) => {
            let after = finding.after.saturating_sub(culprit.begun);
            let told = describe(finding);
            Check::new(
                true,
                format!("the leak is found {} s after it began: {told}", after.as_secs()),
            )
        }
        None => Check::new(false, "the leak is found".to_owned()),
    };
    let others = told.findings().filter(|finding| {
        !culprit.is_named(&finding.value) && !culprit.is_seen_at_its_server(&finding.value)
    });
    vec![found, nobody_but("nobody else is accused", others)]
}

fn nobody_but<'a>(what: &str, accused: impl Iterator<Item = &'a Record>) -> Check {
    let accused: Vec<&Record> = accused.collect();
    if accused.is_empty() {
        return Check::new(true, what.to_owned());
    }
    let mut lines = vec![format!("{what}: {} findings", accused.len())];
    lines.extend(accused.iter().copied().take(SHOWN).map(describe));
    if accused.len() > SHOWN {
        lines.push("...".to_owned());
    }
    Check::new(false, lines.join("\n           "))
}

/// A finding in a line.
fn describe(record: &Record) -> String {
    let value = &record.value;
    // Names are other processes' choice.
    let word = |field: &Value| match field {
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    };
    format!(
        "{} {} {}, {}[{}] {} {} port {}, {} open, {} s after the start",
        word(&value["type"]),
        word(&value["id"]),
        word(&value["status"]),
        word(&value["process"]["comm"]),
        word(&value["process"]["pid"]),
        word(&value["direction"]),
        word(&value["peer"]),
        word(&value["service_port"]),
        word(&value["open"]),
        record.after.as_secs()
    )
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
