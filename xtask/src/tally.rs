//! Counting tests: reads the closing lines that cargo's test harness and libtest-mimic print.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// One test that passed.
    pub(crate) const PASS: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    /// One test that failed.
    pub(crate) const FAIL: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };

    /// The counts of a closing line (`test result: ok. 3 passed; 0 failed; 1 ignored; ...`).
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let line = without_colour(line);
        let (_, result) = line.split_once("test result: ")?;
        let mut tally = Self::default();
        let counts = result.split_once(". ")?.1;
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(count), Some(kind)) = (words.next(), words.next()) else {
                continue;
            };
            let place = match kind {
                "passed" => &mut tally.passed,
                "failed" => &mut tally.failed,
                "ignored" => &mut tally.skipped,
                _ => continue,
            };
            *place = count.parse().ok()?;
        }
        Some(tally)
    }

    /// The sum over all closing lines of a text.
    pub(crate) fn of_text(text: &str) -> Self {
        let mut sum = Self::default();
        for tally in text.lines().filter_map(Self::of_line) {
            sum += tally;
        }
        sum
    }

    /// Whether no test ran at all.
    pub(crate) fn is_empty(self) -> bool {
        self.passed == 0 && self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// Takes out `ESC [ ... m`, which a harness may print around `ok` even here.
fn without_colour(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or(piece, |(_, text)| text));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let line =
            "test result: ok. 8 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; finished in 0.02s";
        assert_eq!(
            Tally::of_line(line),
            Some(Tally {
                passed: 8,
                failed: 0,
                skipped: 2
            })
        );
        let line = "test result: FAILED. 8 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            Tally::of_line(line),
            Some(Tally {
                passed: 8,
                failed: 3,
                skipped: 0
            })
        );
    }

    #[test]
    fn colour_and_what_stands_before_do_not_matter() {
        let line = "no newline test result: \u{1b}[32mok\u{1b}[0m. 1 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(Tally::of_line(line), Some(Tally::PASS));
    }

    #[test]
    fn other_lines_are_not() {
        for line in [
            "",
            "test a::b ... ok",
            "test result:",
            "test result: ok",
            "running 3 tests",
            "\u{1b}",
        ] {
            assert_eq!(Tally::of_line(line), None, "{line:?}");
        }
        let overflow = "test result: ok. 99999999999999999999 passed; 0 failed";
        assert_eq!(Tally::of_line(overflow), None);
    }

    #[test]
    fn a_text_is_summed_up() {
        let text = "running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored\n\n\
                    test result: FAILED. 0 passed; 1 failed; 4 ignored\n";
        let tally = Tally::of_text(text);
        assert_eq!(
            tally,
            Tally {
                passed: 1,
                failed: 1,
                skipped: 4
            }
        );
        assert_eq!(tally.to_string(), "1 passed, 1 failed, 4 skipped");
        assert!(!tally.is_empty());
        assert!(Tally::of_text("nothing").is_empty());
    }
}
