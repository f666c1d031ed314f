//! Whose code a frame is: the program's own, or a library's or runtime's. Pure, and a guess: it decides what is shown
//! first, never what is counted.

use std::num::NonZeroU32;

use crate::model::stack::{Frame, Origin};

/// Programs that run the code of others.
const INTERPRETERS: [&str; 10] = [
    "node", "nodejs", "python", "java", "ruby", "php", "perl", "beam.smp", "dotnet", "deno",
];

/// Where shared objects of the system lie.
const LIBRARY_PLACES: [&str; 6] = [
    "/lib/",
    "/lib64/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/local/lib/",
    "/nix/store/",
];

/// Where shared objects lie that are parts of a runtime, or of packages of others.
const LIBRARY_DIRECTORIES: [&str; 4] = [
    "/lib-dynload/",
    "/site-packages/",
    "/dist-packages/",
    "/node_modules/",
];

/// Where sources lie that are nobody's own program: standard libraries, and packages of others.
const LIBRARY_SOURCES: [&str; 14] = [
    "/rustc/",
    "/library/std/",
    "/.cargo/registry/",
    "/.cargo/git/",
    "/usr/include/",
    "/go/src/",
    "/usr/lib/go",
    "/usr/local/go",
    "/pkg/mod/",
    "/vendor/",
    "/node_modules/",
    "/site-packages/",
    "/dist-packages/",
    "/usr/lib/python",
];

/// Beginnings of functions of runtimes and of libraries that make connections, for where no source file is known.
const LIBRARY_FUNCTIONS: [&str; 22] = [
    "std::",
    "core::",
    "alloc::",
    "<std::",
    "<core::",
    "<alloc::",
    "tokio",
    "<tokio",
    "mio::",
    "<mio::",
    "hyper",
    "<hyper",
    "socket2::",
    "rustix::",
    "boost::asio",
    "v8::",
    "node::",
    "uv_",
    "runtime.",
    "net.",
    "syscall.",
    "__libc_",
];

/// Functions that make the system call, wherever they are linked to.
const SYSTEM_CALLS: [&str; 12] = [
    "connect",
    "__connect",
    "__libc_connect",
    "accept",
    "__accept",
    "__libc_accept",
    "accept4",
    "__libc_accept4",
    "sendto",
    "__sendto",
    "__libc_sendto",
    "syscall",
];

/// Where a thread begins.
const ROOTS: [&str; 10] = [
    "__libc_start_call_main",
    "__libc_start_main",
    "__libc_start_main_impl",
    "_start",
    "start_thread",
    "clone3",
    "__clone3",
    "__clone",
    "clone",
    "runtime.goexit",
];

/// Whose code it is.
pub fn of(frame: &Frame) -> Origin {
    let is_library = is_library_module(frame) || is_library_source(frame) || is_library_function(frame);
    if is_library {
        Origin::Library
    } else {
        Origin::Application
    }
}

/// Whether a thread begins there: nobody has called it.
pub fn is_root(frame: &Frame) -> bool {
    let name = frame.function.as_deref();
    name.is_some_and(|name| {
        ROOTS
            .iter()
            .any(|root| name == *root || name.strip_suffix(".abi0") == Some(*root))
    })
}

/// What the name of code that was compiled at run time says: function, file and line.
///
/// Node: `LazyCompile:*leak /app/x.js:12:3`, `JS:~leak file:///app/x.mjs:12:3`, `Function:~connect node:net:1234:5`; Python:
/// `py::leak:/app/x.py`; agents of Java: `Lcom/example/Pool;::open`.
pub fn compiled(name: &str) -> (&str, Option<&str>, Option<NonZeroU32>) {
    if let Some((function, file)) = name.strip_prefix("py::").and_then(|name| name.split_once(':')) {
        return (function, Some(file), None);
    }
    let kinds = [
        "LazyCompile:",
        "Function:",
        "Script:",
        "Eval:",
        "JS:",
        "Baseline:",
    ];
    let Some(rest) = kinds.iter().find_map(|kind| name.strip_prefix(kind)) else {
        return (name, None, None);
    };
    let rest = rest.trim_start_matches(['~', '*', '^', '+', '\'']);
    // The function may have no name.
    let (function, place) = rest.split_once(' ').unwrap_or(("(anonymous)", rest));
    let function = if function.is_empty() {
        "(anonymous)"
    } else {
        function
    };
    let place = place.strip_prefix("file://").unwrap_or(place);
    let mut parts = place.rsplitn(3, ':');
    let numbers = (
        parts.next().map(str::parse::<u32>),
        parts.next().map(str::parse::<u32>),
        parts.next(),
    );
    match numbers {
        (Some(Ok(_column)), Some(Ok(line)), Some(file)) => (function, Some(file), NonZeroU32::new(line)),
        _ => match place.rsplit_once(':') {
            Some((file, line)) if line.parse::<u32>().is_ok() => {
                (function, Some(file), line.parse().ok().and_then(NonZeroU32::new))
            }
            _ => (function, Some(place).filter(|place| !place.is_empty()), None),
        },
    }
}

fn is_library_module(frame: &Frame) -> bool {
    let Some(module) = frame.module.as_deref() else {
        return false;
    };
    let file = module.rsplit('/').next().unwrap_or(module);
    let is_shared = file.rsplit('.').next() == Some("so") || file.contains(".so.");
    let is_in_place = LIBRARY_PLACES.iter().any(|place| module.starts_with(place));
    let is_interpreter = INTERPRETERS.iter().any(|name| {
        let version = file.strip_prefix(name);
        version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    });
    let is_package = LIBRARY_DIRECTORIES.iter().any(|place| module.contains(place));
    (is_shared && (is_in_place || is_package || file.starts_with("libc.") || file.starts_with("ld-")))
        || is_interpreter
        || module == "[vdso]"
}

fn is_library_source(frame: &Frame) -> bool {
    let Some(file) = frame.file.as_deref() else {
        return false;
    };
    // Modules of Go and Node have a version, or a scheme.
    file.contains('@')
        || file.starts_with("node:")
        || LIBRARY_SOURCES.iter().any(|place| file.contains(place))
}

fn is_library_function(frame: &Frame) -> bool {
    let Some(name) = frame.function.as_deref() else {
        return false;
    };
    let is_known = || LIBRARY_FUNCTIONS.iter().any(|begin| name.starts_with(begin));
    // Go leaves the paths of its own sources out if it is told to (`-trimpath`): `net/dial.go`.
    let is_told_by_file = frame
        .file
        .as_deref()
        .is_some_and(|file| file.starts_with('/') || ![".go", ".s"].iter().any(|end| file.ends_with(end)));
    is_root(frame)
        || (frame.line.is_none() && SYSTEM_CALLS.contains(&name))
        || ((!is_told_by_file || name.starts_with("std::")) && (is_known() || is_standard_go(name)))
}

/// Packages of Go's standard library have no dot before the first slash: `net/http.(*Transport).dial`, but
/// `example.com/x.Dial` and `main.main`.
fn is_standard_go(name: &str) -> bool {
    let Some((package, _)) = name.split_once('/') else {
        return false;
    };
    let begins = ["net", "crypto", "internal", "vendor", "runtime", "os", "context"];
    begins.contains(&package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(module: &str, function: &str, file: &str) -> Frame {
        let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Frame {
            module: known(module),
            function: known(function),
            file: known(file),
            ..Frame::default()
        }
    }

    #[test]
    fn compiled_code_says_where_it_comes_from() {
        let line = NonZeroU32::new;
        for (name, expected) in [
            (
                "LazyCompile:*leak /app/x.js:12:3",
                ("leak", Some("/app/x.js"), line(12)),
            ),
            (
                "JS:~leak file:///app/x.mjs:12:3",
                ("leak", Some("/app/x.mjs"), line(12)),
            ),
            (
                "Function:~connect node:net:1234:5",
                ("connect", Some("node:net"), line(1234)),
            ),
            (
                "LazyCompile:~ /app/x.js:7",
                ("(anonymous)", Some("/app/x.js"), line(7)),
            ),
            ("py::leak:/app/x.py", ("leak", Some("/app/x.py"), None)),
            (
                "Lcom/example/Pool;::open",
                ("Lcom/example/Pool;::open", None, None),
            ),
            (
                "Builtin:InterpreterEntryTrampoline",
                ("Builtin:InterpreterEntryTrampoline", None, None),
            ),
        ] {
            assert_eq!(compiled(name), expected);
        }
    }

    #[test]
    fn libraries_and_runtimes_are_no_programs() {
        for (module, function, file) in [
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "connect", ""),
            (
                "/app/x",
                "std::net::tcp::TcpStream::connect",
                "/rustc/59807616e/library/std/src/net/tcp.rs",
            ),
            (
                "/app/x",
                "hyper_util::client::legacy::connect",
                "/root/.cargo/registry/src/x/hyper-util-0.1/src/client.rs",
            ),
            (
                "/app/x",
                "std::invoke<void (&)()>",
                "/usr/include/c++/12/functional",
            ),
            (
                "/app/x",
                "net.(*netFD).connect",
                "/usr/lib/go-1.19/src/net/fd_unix.go",
            ),
            ("/app/x", "net/http.(*Transport).dialConn", ""),
            (
                "/app/x",
                "google.golang.org/grpc.(*addrConn).connect",
                "google.golang.org/grpc@v1.48.0/clientconn.go",
            ),
            ("/app/x", "net.(*netFD).connect", "net/fd_unix.go"),
            (
                "/app/x",
                "net/http.(*Transport).dialConn",
                "net/http/transport.go",
            ),
            ("/usr/bin/node", "node::TCPWrap::Connect", ""),
            ("/usr/bin/python3.11", "_PyEval_EvalFrameDefault", ""),
            ("", "connect", "node:net"),
            (
                "/opt/py/lib/python3.11/lib-dynload/_socket.cpython-311-x86_64-linux-gnu.so",
                "",
                "",
            ),
            ("/app/x", "_start", ""),
            ("/app/static", "connect", ""),
        ] {
            assert_eq!(
                of(&frame(module, function, file)),
                Origin::Library,
                "{function} in {module}"
            );
        }
    }

    #[test]
    fn programs_are_no_libraries() {
        for (module, function, file) in [
            ("/usr/bin/controller", "sync", "controller.c"),
            ("/usr/bin/nodemon", "x", ""),
            ("/app/libplugin.so", "open_pool", "pool.cc"),
            ("/app/x", "main.main", "/home/me/x/main.go"),
            ("/app/x", "main.main", "controller/main.go"),
            ("/app/x", "controller/pool.Dial", "controller/pool/dial.go"),
            ("/app/x", "example.com/team/x.Dial", "/home/me/x/dial.go"),
            ("/app/x", "controller::sync", "src/main.rs"),
            ("", "leak", "/app/leak.js"),
            ("/app/x", "", ""),
        ] {
            assert_eq!(
                of(&frame(module, function, file)),
                Origin::Application,
                "{function} in {module}"
            );
        }
    }
}
