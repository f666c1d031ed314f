//! The core of tracer is pure: no clock, no input or output, no aya, no tokio. This check keeps it so, and keeps
//! files small.

use crate::source::{self, Source};

/// Directories and files of the core.
const PURE: [&str; 28] = [
    "tracer/src/btf",
    "tracer/src/model",
    "tracer/src/leak",
    "tracer/src/output",
    "tracer/src/ingest/decode",
    "tracer/src/ingest/intake",
    "tracer/src/ingest/released",
    "tracer/src/ingest/rows",
    "tracer/src/ingest/shorts",
    "tracer/src/ingest/stack",
    "tracer/src/bpf/plan",
    "tracer/src/enrich/cgroup",
    "tracer/src/fallback/diag",
    "tracer/src/fallback/identity",
    "tracer/src/fallback/join",
    "tracer/src/fallback/queues",
    "tracer/src/fallback/tables",
    "tracer/src/procfs/limits",
    "tracer/src/procfs/link",
    "tracer/src/procfs/stat",
    "tracer/src/procfs/status",
    "tracer/src/recording",
    "tracer/src/symbols/cfi",
    "tracer/src/symbols/go",
    "tracer/src/symbols/maps",
    "tracer/src/symbols/origin",
    "tracer/src/symbols/perf_map",
    "tracer/src/symbols/unwind",
];

/// What the core must not mention. Time is an argument there.
const FORBIDDEN: [&str; 7] = [
    "aya::",
    "tokio::",
    "std::fs",
    "std::net::Tcp",
    "std::time::Instant",
    "Instant::now",
    "SystemTime::now",
];

/// A file longer than this has more than one subject.
const MAX_LINES: usize = 500;

/// Every violation, as a line for people.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            found.push(format!(
                "{}: {lines} lines, more than {MAX_LINES}: split it",
                source.path
            ));
        }
        if is_pure(&source.path) {
            found.extend(impure(source));
        }
    }
    found
}

/// `tracer/src/leak.rs` and everything below `tracer/src/leak/`, but not `tracer/src/leaky.rs`.
fn is_pure(path: &str) -> bool {
    PURE.iter().any(|pure| {
        path.strip_prefix(pure)
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

fn impure(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut import: Option<(usize, String)> = None;
    for (number, line) in source::code_lines(&source.text) {
        let is_import = import.is_some() || starts_import(line);
        let (at, text) = import.take().unwrap_or((number, String::new()));
        let text = text + line;
        if is_import && !line.ends_with(';') {
            import = Some((at, text));
            continue;
        }
        let paths = if is_import { imported(&text) } else { vec![text] };
        for word in FORBIDDEN {
            if paths.iter().any(|path| mentions(path, word)) {
                found.push(format!(
                    "{}:{at}: the pure core must not use `{word}`",
                    source.path
                ));
            }
        }
    }
    found
}

fn starts_import(line: &str) -> bool {
    let line = line.trim_start();
    let line = line
        .split_once(' ')
        .filter(|(first, _)| first.starts_with("pub"))
        .map_or(line, |(_, rest)| rest);
    line.starts_with("use ")
}

/// Whether the word stands there as a path of its own: `aya::` is not in `maya::`.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The full paths that an import names: `use std::{fs, time::{Duration, Instant}};` is three. Each ends with `::`,
/// so that a crate imported as a whole is found like one used by path.
fn imported(statement: &str) -> Vec<String> {
    let tree = statement
        .split_once("use ")
        .map_or("", |(_, tree)| tree)
        .trim_end_matches(';');
    let mut paths = Vec::new();
    let mut prefixes = vec![String::new()];
    let mut path = String::new();
    for c in tree.chars().chain([',']) {
        match c {
            '{' => prefixes.push(std::mem::take(&mut path)),
            ',' | '}' => {
                if !path.is_empty() {
                    paths.push(format!("{}{path}::", prefixes.concat()));
                    path.clear();
                }
                if c == '}' {
                    prefixes.pop();
                }
            }
            c if c.is_whitespace() => {}
            c => path.push(c),
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&[Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }])
    }

    #[test]
    fn imports_are_expanded() {
        let statement = "pub(crate) use std::{fs, time::{Duration, Instant}, net::IpAddr};";
        let paths = [
            "std::fs::",
            "std::time::Duration::",
            "std::time::Instant::",
            "std::net::IpAddr::",
        ];
        assert_eq!(imported(statement), paths);
        assert_eq!(imported("use aya;"), ["aya::"]);
    }

    #[test]
    fn every_way_to_reach_the_outside_is_found() {
        for code in [
            "use aya::maps::RingBuf;\n",
            "use std::{\n    collections::HashMap,\n    fs::{self, File},\n};\n",
            "use std::time::{Duration, Instant};\n",
            "fn f() {\n    let t = std::time::SystemTime::now();\n}\n",
            "fn f() {\n    tokio::spawn(g());\n}\n",
            "pub(crate) use std::net::{IpAddr, TcpStream};\n",
        ] {
            assert_eq!(violations("tracer/src/leak/rule.rs", code).len(), 1, "{code}");
            assert!(violations("tracer/src/runtime.rs", code).is_empty(), "{code}");
        }
    }

    #[test]
    fn pure_code_passes() {
        let code = "use std::net::IpAddr;\nuse std::time::Duration;\n// not std::fs\nfn f() {\n    maya::g();\n}\n\
                    #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(
            violations("tracer/src/model/ledger.rs", code),
            Vec::<String>::new()
        );
        assert_eq!(violations("tracer/src/model.rs", code), Vec::<String>::new());
    }

    #[test]
    fn long_files_are_found_unless_they_are_tests() {
        let long = "x;\n".repeat(MAX_LINES + 1);
        assert_eq!(violations("xtask/src/a.rs", &long).len(), 1);
        assert!(violations("tracer/tests/a.rs", &long).is_empty());
        assert!(violations("xtask/src/a.rs", &"x;\n".repeat(MAX_LINES)).is_empty());
    }
}
