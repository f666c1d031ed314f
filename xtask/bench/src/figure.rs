//! What was measured, as a table and as JSON.

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it must be; `None` if nobody asks.
    pub budget: Option<Budget>,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// This, or less.
    AtMost(f64),
    /// This, or more.
    AtLeast(f64),
}

impl Figure {
    /// One that nothing is asked of.
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            budget: None,
        }
    }

    /// With a ceiling.
    #[must_use]
    pub fn at_most(self, most: f64) -> Self {
        Self {
            budget: Some(Budget::AtMost(most)),
            ..self
        }
    }

    /// With a floor.
    #[must_use]
    pub fn at_least(self, least: f64) -> Self {
        Self {
            budget: Some(Budget::AtLeast(least)),
            ..self
        }
    }

    /// Whether it is what it must be.
    pub fn holds(&self) -> bool {
        match self.budget {
            Some(Budget::AtMost(most)) => self.value <= most,
            Some(Budget::AtLeast(least)) => self.value >= least,
            None => true,
        }
    }
}

/// For people.
pub fn table(figures: &[Figure]) -> String {
    use std::fmt::Write as _;
    let widest = figures.iter().map(|figure| figure.what.chars().count()).max();
    let width = widest.unwrap_or(0);
    let mut text = String::new();
    for figure in figures {
        let budget = match figure.budget {
            Some(Budget::AtMost(most)) => format!("at most {}", number(most)),
            Some(Budget::AtLeast(least)) => format!("at least {}", number(least)),
            None => String::new(),
        };
        let verdict = if figure.holds() { "" } else { "  MISSED" };
        let line = format!(
            "{:width$}  {:>10} {:<12} {budget}{verdict}",
            figure.what,
            number(figure.value),
            figure.unit
        );
        // Writing to a string cannot fail.
        let _: std::fmt::Result = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
