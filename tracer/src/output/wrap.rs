//! Lines that fit a terminal.

/// Columns of a terminal that nobody has widened.
pub const WIDTH: usize = 80;

/// Appends words to a line that is `column` columns long, and ends it. Where they do not fit, the next line begins
/// `indent` columns in; a word that fits no line is cut.
pub fn fill(text: &mut String, column: usize, indent: usize, words: &str) {
    let mut line = Line { text, column, indent };
    for (index, word) in words.split(' ').enumerate() {
        let space = usize::from(index > 0);
        if line.column + space + width(word) > WIDTH {
            line.end();
        } else if space > 0 {
            line.push(' ');
        }
        for character in word.chars() {
            if line.column + columns(character) > WIDTH {
                line.end();
            }
            line.push(character);
        }
    }
    line.text.push('\n');
}

/// Columns that a text takes, at most.
pub fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

struct Line<'a> {
    text: &'a mut String,
    column: usize,
    indent: usize,
}

impl Line<'_> {
    fn push(&mut self, character: char) {
        self.text.push(character);
        self.column += columns(character);
    }

    /// A line that holds nothing yet stays.
    fn end(&mut self) {
        if self.column > self.indent {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(' ', self.indent));
            self.column = self.indent;
        }
    }
}

/// The widest characters take two columns; to take all beyond ASCII for such costs nothing but a short line.
const fn columns(character: char) -> usize {
    if character.is_ascii() { 1 } else { 2 }
}
