//! The command from outside: bad input, and places where it cannot work, each with its documented exit code and one
//! clear sentence.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support {
    pub mod run;
    pub mod sentence;
    pub mod snapshot;
}

use std::{env, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use clap::CommandFactory as _;
use serde_json::Value;
use support::{
    run::{can_trace, run, tracer, tracer_under},
    sentence::{assert_one_sentence, scratch},
    snapshot::snapshot,
};
use tracer::cli::args::Args;

const USAGE: i32 = 2;
const NOT_POSSIBLE: i32 = 3;

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

#[test]
fn bad_usage_is_refused_with_a_reason() {
    let port = "a port is a number from 1 to 65535";
    let cases: [(&str, &str); 36] = [
        ("--port 0", port),
        ("--port 70000", port),
        ("--port http", port),
        ("--port 80,443", port),
        ("--port -1", "unexpected argument '-1'"),
        ("--port=", port),
        (
            "--port 9090-80",
            "the range ends before it begins; did you mean 80-9090?",
        ),
        ("--port 0-80", port),
        ("--port", "a value is required for '--port <PORT>'"),
        ("--pid 0", "a process id is a number from 1 to 4194304"),
        ("--comm=", "a process name has at least one character"),
        ("--peer 10.0.0.0/99", "a prefix like 10.0.0.0/8 (up to /32)"),
        ("--peer example.org", "a peer is an address like 10.1.2.3"),
        ("--duration 0s", "the time must be more than zero"),
        ("--duration 10", "a time is a number with a unit"),
        ("--interval abc", "a time is a number with a unit"),
        ("--ring-size 3MiB", "a size is a power of two from 64KiB to 1GiB"),
        ("--max-connections 0", "a count is a number from 1"),
        (
            "--backend nonsense",
            "[possible values: auto, fentry, kprobe, tracepoint]",
        ),
        ("--output xml", "[possible values: text, json]"),
        ("--frobnicate", "unexpected argument '--frobnicate'"),
        ("frobnicate", "unrecognized subcommand 'frobnicate'"),
        ("--port 80 doctor", "'doctor' cannot be used with '--port <PORT>'"),
        ("doctor --port 80", "unexpected argument '--port'"),
        ("--port 80 list", "'list' cannot be used with '--port <PORT>'"),
        ("list --port 0", port),
        ("list --pid 0", "a process id is a number from 1 to 4194304"),
        ("list --peer example.org", "a peer is an address like 10.1.2.3"),
        (
            "list --by port",
            "[possible values: peer, process, state, listener, stack]",
        ),
        ("list --rows 0", "a count is a number from 1"),
        ("list --interval 1s", "unexpected argument '--interval'"),
        (
            "list --all --by process",
            "'--all' cannot be used with '--by <BY>'",
        ),
        (
            "list --by peer --output folded",
            "can be used with '--by stack' only",
        ),
        ("list --for 3s", "'--for' can be used with '--by stack' only"),
        (
            "list --by stack --for 0s",
            "invalid value '0s' for '--for <TIME>'",
        ),
        (
            "list --by listener --direction outbound",
            "'--by listener' cannot be used with '--direction outbound'",
        ),
    ];
    for (arguments, reason) in cases {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let run = run(&mut tracer(&arguments));
        assert_eq!(run.code, Some(USAGE), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
        assert!(run.stderr.starts_with("error: "), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(reason), "{arguments:?}: {}", run.stderr);
        assert!(
            run.stderr.ends_with("For more information, try '--help'.\n"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
    let not_utf8 = run(Command::new("sh").args([
        "-c",
        r#"exec "$0" --comm "$(printf '\377')""#,
        env!("CARGO_BIN_EXE_tracer"),
    ]));
    assert_eq!(not_utf8.code, Some(USAGE), "{}", not_utf8.stderr);
}

#[test]
fn help_and_version_are_no_errors() {
    for (arguments, start) in [
        ("--help", "Watches TCP connections"),
        ("-h", "Watches TCP connections"),
        ("help", "Watches TCP connections"),
        ("doctor --help", "Say what this kernel"),
        ("list --help", "List what is open now"),
        ("--version", concat!("tracer ", env!("CARGO_PKG_VERSION"))),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let run = run(&mut tracer(&arguments));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(run.stdout.starts_with(start), "{arguments:?}: {}", run.stdout);
        assert!(!run.stdout.contains('\x1b'), "{arguments:?}: colours in a pipe");
    }
}

#[test]
fn help_documents_every_flag() {
    let help = |arguments: &[&str]| run(&mut tracer(arguments)).stdout;
    let watch = help(&["--help"]);
    let list = help(&["list", "--help"]);
    let doctor = help(&["doctor", "--help"]);
    snapshot(
        "tests/snapshots/help.txt",
        &format!("$ tracer --help\n{watch}\n$ tracer list --help\n{list}\n$ tracer doctor --help\n{doctor}"),
    );
    let command = Args::command();
    assert_documented(&command, &watch);
    assert_documented(command.find_subcommand("list").unwrap(), &list);
    let watch = words(&watch);
    for code in ["0 ended normally", "1 runtime fault", "2 usage", "3 this kernel"] {
        assert!(watch.contains(code), "{code}");
    }
}

/// The text is wrapped: compare words.
fn words(help: &str) -> String {
    help.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_documented(command: &clap::Command, help: &str) {
    let words = words(help);
    for argument in command.get_arguments() {
        let flag = format!("--{}", argument.get_long().unwrap());
        assert!(words.contains(&flag), "{flag}");
        assert!(argument.get_help().is_some(), "{flag} has no help");
        // What a flag without a value defaults to, nobody needs to be told.
        for default in argument
            .get_default_values()
            .iter()
            .filter(|_| takes_value(argument))
        {
            let default = format!("[default: {}]", default.to_string_lossy());
            let (_, after) = words.split_once(&flag).unwrap();
            assert!(after.contains(&default), "{flag}: {default}");
        }
    }
}

fn takes_value(argument: &clap::Arg) -> bool {
    argument.get_action().takes_values()
}

#[test]
fn without_privileges_it_names_what_is_missing() {
    let arguments = ["--port", "9090", "--duration", "1s"];
    let both = ["capabilities", "(CAP_BPF, CAP_PERFMON)", "sudo"];
    if !rustix::process::geteuid().is_root() {
        // This very process shows it; the cases of root below are not to be had.
        return assert_one_sentence(&run(&mut tracer(&arguments)), NOT_POSSIBLE, &both);
    }
    // Another user may not be able to look into the target directory.
    let copy = env::temp_dir().join(format!("tracer-cli-test-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_tracer"), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let user = run(Command::new("setpriv")
        .args("--reuid 65534 --regid 65534 --clear-groups --bounding-set -all --inh-caps=-all".split(' '))
        .arg(&copy)
        .args(arguments)
        .current_dir("/"));
    fs::remove_file(&copy).unwrap();
    assert_one_sentence(&user, NOT_POSSIBLE, &both);
    assert_eq!(user.stdout, "");

    for (dropped, named) in [
        (
            "-all",
            "capabilities that this process does not have (CAP_BPF, CAP_PERFMON)",
        ),
        (
            "-sys_admin,-bpf",
            "a capability that this process does not have (CAP_BPF)",
        ),
        (
            "-sys_admin,-perfmon",
            "a capability that this process does not have (CAP_PERFMON)",
        ),
    ] {
        let wrapper = ["setpriv", "--inh-caps=-all", "--bounding-set", dropped];
        let run = run(&mut tracer_under(&wrapper, &arguments));
        assert_one_sentence(&run, NOT_POSSIBLE, &[named]);
    }
}

#[test]
fn without_privileges_a_list_says_what_it_cannot_see() {
    let list = ["list", "--output", "json"];
    let run = if rustix::process::geteuid().is_root() {
        let wrapper = ["setpriv", "--inh-caps=-all", "--bounding-set", "-all"];
        run(&mut tracer_under(&wrapper, &list))
    } else {
        run(&mut tracer(&list))
    };
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let last: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["source"], "sock_diag");
    let degraded = last["degraded"].to_string();
    assert!(degraded.contains("dead connections"), "{degraded}");
    assert!(degraded.contains("(CAP_BPF, CAP_PERFMON)"), "{degraded}");
    if rustix::process::geteuid().is_root() {
        // This process, for one, which is of the same user and has capabilities.
        assert!(
            degraded.contains("processes may not be looked into"),
            "{degraded}"
        );
    }
}

/// Type information that is missing or damaged, each with what the sentence must say beside the path.
fn bad_type_information() -> Vec<(PathBuf, &'static str)> {
    let file = |name: &str, bytes: &[u8]| {
        let path = scratch(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut noise = Vec::new();
    let mut state = 1_u32;
    for _ in 0..100_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push(state.to_be_bytes()[0]);
    }
    let mut bad = vec![
        (PathBuf::from("/nonexistent"), "No such file or directory"),
        (env::temp_dir(), "Is a directory"),
        (file("empty.btf", b""), "0 bytes long"),
        (file("noise.btf", &noise), "magic number"),
    ];
    if let Ok(whole) = fs::read(VMLINUX) {
        let part = whole.get(..1 << 20).unwrap_or(&[]);
        bad.push((file("truncated.btf", part), "past the data's 1048576 bytes"));
        bad.push((
            file("renamed.btf", &renamed(&whole, b"skc_dport")),
            "struct sock_common has no member skc_dport",
        ));
    }
    bad
}

/// The type information with the first letter of one name changed: its structure stays intact, the name is gone.
fn renamed(btf: &[u8], name: &[u8]) -> Vec<u8> {
    let wanted = [b"\0", name, b"\0"].concat();
    let at = btf.windows(wanted.len()).position(|window| window == wanted);
    let mut changed = btf.to_vec();
    changed[at.unwrap() + 1] = b'X';
    changed
}

#[test]
fn bad_type_information_is_named_by_its_path() {
    if !can_trace("bad type information") {
        return;
    }
    for (path, reason) in bad_type_information() {
        let path = path.to_str().unwrap();
        let watch = run(&mut tracer(&["--btf", path, "--duration", "1s"]));
        assert_one_sentence(&watch, NOT_POSSIBLE, &[path, reason]);
        assert_eq!(watch.stdout, "");
        let doctor = run(&mut tracer(&["doctor", "--btf", path]));
        assert_one_sentence(&doctor, NOT_POSSIBLE, &["no backend can be used here"]);
        assert!(doctor.stdout.contains(path), "{}", doctor.stdout);
        assert!(doctor.stdout.contains(reason), "{}", doctor.stdout);
        if path.starts_with(env!("CARGO_TARGET_TMPDIR")) {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn no_backend_attachable_names_the_reason_of_each() {
    if !can_trace("no backend attachable") {
        return;
    }
    // Every backend needs this tracepoint; a kernel that does not have it is a kernel where none works.
    let changed = renamed(&fs::read(VMLINUX).unwrap(), b"btf_trace_inet_sock_set_state");
    let path = scratch("tracepoint.btf");
    fs::write(&path, changed).unwrap();
    let path = path.to_str().unwrap();
    let all = run(&mut tracer(&["--btf", path, "--duration", "1s"]));
    let reasons = [
        "(fentry: ",
        "; kprobe: ",
        "; tracepoint: tp_btf/inet_sock_set_state: ",
        "`tracer doctor`",
    ];
    assert_one_sentence(&all, NOT_POSSIBLE, &reasons);
    let one = run(&mut tracer(&["--btf", path, "--backend", "tracepoint"]));
    assert_one_sentence(
        &one,
        NOT_POSSIBLE,
        &["the backend cannot be used here (tracepoint: "],
    );
    let doctor = run(&mut tracer(&["doctor", "--output", "json", "--btf", path]));
    assert_one_sentence(&doctor, NOT_POSSIBLE, &[]);
    let report: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(report["best"], Value::Null);
    let backends = report["backends"].as_array().unwrap();
    assert!(backends.iter().all(|backend| backend["usable"] == false));
    fs::remove_file(path).unwrap();
}

#[test]
fn in_a_user_namespace_capabilities_are_not_what_they_seem() {
    let wrapper = ["unshare", "--user", "--map-root-user"];
    if !Command::new("unshare")
        .args([wrapper[1], wrapper[2], "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: no user namespaces here");
        return;
    }
    let run = run(&mut tracer_under(&wrapper, &["--duration", "1s"]));
    assert_one_sentence(&run, NOT_POSSIBLE, &["not permitted"]);
    assert_eq!(run.stdout, "");
}

#[test]
fn the_doctor_reports_for_people_and_for_programs() {
    let json = run(&mut tracer(&["doctor", "--output", "json"]));
    let text = run(&mut tracer(&["doctor"]));
    assert_eq!(json.code, text.code);
    assert_eq!(json.stdout.lines().count(), 1);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["btf"]["path"], VMLINUX);
    let capabilities = report["capabilities"].as_array().unwrap();
    for name in ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"] {
        assert!(text.stdout.contains(name), "{}", text.stdout);
        let capability = capabilities.iter().find(|capability| capability["name"] == name);
        assert!(capability.unwrap()["held"].is_boolean());
    }
    for field in [
        "kernel",
        "machine",
        "lockdown",
        "tracefs",
        "cgroup2",
        "ring_bytes",
        "best",
    ] {
        assert!(report.get(field).is_some(), "{field}");
    }
    if !can_trace("doctor's findings") {
        assert_eq!(json.code, Some(NOT_POSSIBLE));
        return;
    }
    assert_eq!(json.code, Some(0), "{}", json.stderr);
    let best = report["best"].as_str().unwrap();
    assert!(
        text.stdout
            .ends_with(&format!("tracer will use the {best} backend.\n"))
    );
    let backends = report["backends"].as_array().unwrap();
    assert_eq!(backends.len(), 3);
    for backend in backends {
        for program in backend["programs"].as_array().unwrap() {
            // A program that does not run has a reason, and one that runs has none.
            assert_eq!(
                program["attached"] == true,
                program["reason"].is_null(),
                "{program}"
            );
        }
    }
}

/// The table in the documentation is the one that `tracer thresholds` prints.
#[test]
fn the_thresholds_are_documented_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/detection.md");
    let document = fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once("<!-- thresholds -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of thresholds -->").unwrap();
    let table = run(&mut tracer(&["thresholds"])).stdout;
    snapshot(
        "../docs/detection.md",
        &format!("{before}<!-- thresholds -->\n{table}<!-- end of thresholds -->{after}"),
    );
}
