//! Texts that are kept as files.

use std::{env, fs, path::Path};

/// Compares a text with the file at `path` (relative to the package), or writes the file where that is wished.
pub fn snapshot(path: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} is out of date; if the change is meant, run `UPDATE_SNAPSHOTS=1 cargo test -p tracer --test cli --test \
         schema` and commit the file. First difference: {:?}",
        path.display(),
        expected
            .lines()
            .zip(actual.lines())
            .find(|(expected, actual)| expected != actual)
    );
}
