//! What the command says when it cannot do what it was asked.

use std::path::{Path, PathBuf};

use super::run::Run;

/// Whether all bytes of stderr are one sentence of ours that holds `parts`. A warning may precede it.
#[track_caller]
pub fn assert_one_sentence(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    let said: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| !(line.starts_with('[') && line.contains(" WARN ")))
        .collect();
    assert_eq!(said.len(), 1, "not one sentence: {:?}", run.stderr);
    let sentence = said.concat();
    assert!(sentence.starts_with("tracer: "), "{sentence}");
    assert!(sentence.len() < 800, "too long: {sentence}");
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}

/// A path for a file of this test run.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}
