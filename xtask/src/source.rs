//! The workspace's own source files, as the checks of `lint` read them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Directories that hold no source of ours.
const FOREIGN: [&str; 5] = ["target", ".git", "corpus", "artifacts", "node_modules"];

/// One Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Whether the whole file is test code.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self
                .path
                .split('/')
                .any(|part| part == "tests" || part == "benches")
    }
}

/// All Rust files below a directory.
pub(crate) fn all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let context = || format!("cannot read {}", directory.display());
        for entry in fs::read_dir(&directory).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if !FOREIGN.iter().any(|foreign| name == *foreign) {
                    directories.push(entry.path());
                }
            } else if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                sources.push(read(root, &entry.path())?);
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn read(root: &Path, path: &Path) -> Result<Source> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let path = path
        .strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned();
    Ok(Source { path, text })
}

/// The lines that are neither comments nor below `#[cfg(test)]`, with their numbers. Rests on rustfmt's layout: an
/// item ends with a closing brace at the indentation at which it began.
pub(crate) fn code_lines(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut test_item: Option<&str> = None;
    let mut attribute_seen = false;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split_once("//").map_or(line, |(code, _)| code).trim_end();
        let indent = &code[..code.len() - code.trim_start().len()];
        if let Some(end) = test_item {
            if code.strip_prefix(end).is_some_and(|rest| rest == "}") {
                test_item = None;
            }
        } else if code.trim_start().starts_with("#[cfg(test)]") {
            attribute_seen = true;
        } else if attribute_seen {
            let is_attribute = code.trim_start().starts_with("#[") || code.trim().is_empty();
            attribute_seen = is_attribute;
            if !is_attribute && !code.ends_with(';') && !code.ends_with('}') {
                test_item = Some(indent);
            }
        } else if !code.trim().is_empty() {
            kept.push((number, code));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_comments_are_left_out() {
        let text = "use a; // comment\n\n// line\n/// doc\nfn f() {\n    g();\n}\n#[cfg(test)]\nuse x;\nmod m;\n\
                    #[cfg(test)]\n#[path = \"t.rs\"]\nmod tests {\n    fn t() {\n    }\n}\nfn last() {}\n";
        let lines: Vec<_> = code_lines(text).into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            lines,
            ["use a;", "fn f() {", "    g();", "}", "mod m;", "fn last() {}"]
        );
        assert_eq!(code_lines(text)[1].0, 5);
    }

    #[test]
    fn test_files_are_recognised() {
        let is_test = |path: &str| {
            Source {
                path: path.to_owned(),
                text: String::new(),
            }
            .is_test()
        };
        assert!(is_test("tracer/src/ingest/decode_tests.rs"));
        assert!(is_test("tracer/tests/kernel.rs") && is_test("tracer/src/leak/tests.rs"));
        assert!(!is_test("tracer/src/leak/rule.rs") && !is_test("xtask/src/test.rs"));
    }
}
