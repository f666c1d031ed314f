//! `docs/recording.schema.json` is what the lines are.

use std::{env, fs, path::Path};

use jsonschema::Validator;
use serde_json::Value;

use crate::recording::written;

fn schema() -> Value {
    serde_json::to_value(written::schema()).unwrap()
}

/// Whether lines are what the schema says.
pub(super) fn validator() -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema())
        .unwrap()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recording.schema.json");
    let wanted = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == wanted,
        "{} is out of date; run `UPDATE_SNAPSHOTS=1 cargo test -p tracer --lib schema` and commit it",
        path.display()
    );
}

#[test]
fn the_schema_says_no_to_what_is_no_line() {
    let validator = validator();
    for line in [
        r#"{"kind":"tick"}"#,
        r#"{"kind":"tock","ts":1}"#,
        r#"{"kind":"released","ts":1,"id":7}"#,
        r#"{"ts":1}"#,
        "[]",
    ] {
        assert!(
            !validator.is_valid(&serde_json::from_str(line).unwrap()),
            "{line}"
        );
    }
}
