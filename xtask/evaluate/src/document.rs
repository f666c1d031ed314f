//! Puts a report into a document that is about more than that.

/// Before the report,
const BEGIN: &str = "<!-- evaluation: begin -->\n";
/// and after it.
const END: &str = "<!-- evaluation: end -->";

/// The document with this report between its marks; `None` if it has none.
pub fn insert(document: &str, report: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n\n{END}{after}", report.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let document = format!("above\n{BEGIN}old\n{END}\nbelow\n");
        let new = insert(&document, "| new |\n").unwrap();
        assert_eq!(new, format!("above\n{BEGIN}\n| new |\n\n{END}\nbelow\n"));
        assert_eq!(insert(&new, "| new |\n"), Some(new));
    }

    #[test]
    fn a_document_without_marks_is_not_touched() {
        assert_eq!(insert("text", "report"), None);
        assert_eq!(insert(BEGIN, "report"), None);
    }
}
