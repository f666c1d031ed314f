//! What failed tests said: the blocks that cargo's test harness and libtest-mimic print before the closing line.

use crate::tally::Tally;

/// As many lines of all blocks are kept; what is left out is in the log.
const LINES: usize = 120;
/// And as many bytes of a line.
const WIDTH: usize = 4000;

/// Collects from lines as they pass: from `failures:` to the closing line.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    lines: Vec<String>,
    inside: bool,
    left_out: usize,
}

impl Failures {
    /// What failed tests said in a whole log.
    pub(crate) fn of_text(text: &str) -> Self {
        let mut failures = Self::default();
        for line in text.lines() {
            failures.line(line);
        }
        failures
    }

    /// The next line of the output.
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim_end();
        self.inside |= line == "failures:";
        if !self.inside {
            return;
        }
        if self.lines.len() < LINES {
            self.lines.push(line.chars().take(WIDTH).collect());
        } else {
            self.left_out += 1;
        }
        self.inside = Tally::of_line(line).is_none();
    }

    /// The lines, and how many more there were.
    pub(crate) fn into_lines(self) -> Vec<String> {
        let mut lines = self.lines;
        if self.left_out > 0 {
            lines.push(format!("... and {} more lines", self.left_out));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_tests_said_is_kept_and_nothing_else() {
        let text = "test one ... ok\r\ntest two ... FAILED\r\n\r\nfailures:\r\n\r\n---- two ----\r\nleft 1\r\n\r\n\
                    failures:\r\n    two\r\n\r\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\r\ntest three ... ok\r\n";
        let lines = Failures::of_text(text).into_lines();
        assert_eq!(
            lines,
            [
                "failures:",
                "",
                "---- two ----",
                "left 1",
                "",
                "failures:",
                "    two",
                "",
                "test result: FAILED. 1 passed; 1 failed; 0 ignored"
            ]
        );
        let passed = "test one ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert!(Failures::of_text(passed).into_lines().is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let mut failures = Failures::default();
        failures.line("failures:");
        for _ in 0..LINES {
            failures.line(&"x".repeat(WIDTH + 1));
        }
        let lines = failures.into_lines();
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines[1].len(), WIDTH);
        assert_eq!(lines[LINES], "... and 1 more lines");
    }
}
