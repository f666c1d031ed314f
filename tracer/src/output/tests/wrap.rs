use proptest::prelude::*;

use crate::output::wrap::{self, WIDTH};

fn filled(column: usize, indent: usize, words: &str) -> String {
    let mut text = " ".repeat(column);
    wrap::fill(&mut text, column, indent, words);
    text
}

#[test]
fn words_that_fit_stay_on_the_line() {
    assert_eq!(filled(2, 2, "one two"), "  one two\n");
    let full = "x".repeat(WIDTH - 6);
    assert_eq!(filled(2, 4, &format!("yyy {full}")), format!("  yyy {full}\n"));
    assert_eq!(
        filled(2, 4, &format!("yyyy {full}")),
        format!("  yyyy\n    {full}\n")
    );
}

#[test]
fn a_line_that_has_begun_is_ended_before_its_first_word_if_that_fits_the_next() {
    let word = "x".repeat(30);
    assert_eq!(filled(60, 4, &word), format!("{}\n    {word}\n", " ".repeat(60)));
}

#[test]
fn a_word_that_fits_no_line_is_cut() {
    let word = "x".repeat(WIDTH + 10);
    assert_eq!(
        filled(4, 4, &word),
        format!("    {}\n    {}\n", "x".repeat(WIDTH - 4), "x".repeat(14))
    );
}

#[test]
fn wide_characters_are_given_room() {
    for line in filled(2, 2, &"語".repeat(60)).lines() {
        // Each takes two columns.
        assert!(line.trim_start().chars().count() * 2 + 2 <= WIDTH, "{line}");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_is_too_wide(words in "[a-z語 ]{0,300}", column in 0..WIDTH, indent in 0..WIDTH / 2) {
        let text = filled(column, indent, &words);
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(bare(&text), bare(&words));
        for line in text.lines() {
            prop_assert!(wrap::width(line) <= WIDTH, "{line:?}");
        }
    }
}
