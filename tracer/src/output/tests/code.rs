//! Which code opened what is open, in words and in JSON.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

use super::{
    HOSTILE, NOW, confidence, is_harmless,
    leaks::{leak, told},
    plain, wall, worth,
};
use crate::{
    leak::finding::{Finding, Stage},
    model::{
        code::Code,
        stack::{Cut, Frame, Missing, Origin, Trace},
    },
    output::{circumstances::Circumstances, json as lines, stack::chain, text},
};

fn frame(function: &str, file: &str, line: u32, origin: Origin) -> Arc<Frame> {
    Arc::new(Frame {
        function: Some(function.to_owned()),
        file: Some(file.to_owned()),
        line: NonZeroU32::new(line),
        module: Some("/usr/bin/controller".to_owned()),
        origin,
        ..Frame::default()
    })
}

fn nameless() -> Arc<Frame> {
    Arc::new(Frame {
        module: Some("/opt/app/libpool.so".to_owned()),
        offset: Some(0x1f3a),
        build_id: Some("09afd3".to_owned()),
        ..Frame::default()
    })
}

/// Library and program in turn.
fn trace() -> Trace {
    Trace {
        frames: vec![
            frame("__libc_connect", "connect.c", 26, Origin::Library),
            frame("sync", "/src/controller.c", 42, Origin::Application),
            frame("invoke", "/usr/include/c++/12/functional", 60, Origin::Library),
            frame("reconcile", "/src/controller.c", 80, Origin::Application),
            frame("main", "/src/main.c", 12, Origin::Application),
        ],
        cut: None,
    }
}

/// The founding incident: nearly all of them were opened at one place.
pub fn code() -> Code {
    let other = Trace {
        frames: vec![frame("health", "/src/health.c", 7, Origin::Application)],
        cut: Some(Cut::NoFramePointer),
    };
    Code {
        open: 339,
        stacks: vec![(Arc::new(trace()), 334), (Arc::new(other), 2)],
        elsewhere: 1,
        unknown: BTreeMap::from([(Missing::Older, 2)]),
        culprit: Some((frame("sync", "/src/controller.c", 42, Origin::Application), 335)),
    }
}

fn finding(stage: Stage) -> Finding {
    told(stage, b"controller", 4711, leak(|_| {}))
}

fn with(code: Code, full_stacks: bool) -> Circumstances<'static> {
    Circumstances {
        code: Some(code),
        full_stacks,
        ..worth(confidence(0, &[]))
    }
}

fn shown(circumstances: &Circumstances<'_>) -> String {
    plain(&text::finding(&finding(Stage::Opened), circumstances))
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_place_that_opened_most_is_in_the_headline() {
    let text = joined(&shown(&with(code(), false)));
    assert!(
        text.contains("controller[4711] -> 10.0.0.7:9090, opened at sync (controller.c:42) 339 open now"),
        "{text}"
    );
    let few = Code {
        culprit: code().culprit.map(|(frame, _)| (frame, 169)),
        ..code()
    };
    assert!(!joined(&shown(&with(few, false))).contains("9090, opened at"));
}

#[test]
fn the_stacks_are_told_with_their_counts_and_what_is_not_known() {
    let text = joined(&shown(&with(code(), false)));
    for part in [
        "code: 335 of the 339 open were opened at sync (controller.c:42)",
        "334: sync (controller.c:42) <- reconcile (controller.c:80) <- main (main.c:12) 2:",
        "2: health (health.c:7) <- ? (compiled without frame pointers) 1: in other ways",
        "2: stack unavailable: older than the tracer",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn all_frames_are_shown_on_request() {
    let text = joined(&shown(&with(code(), true)));
    assert!(
        text.contains(
            "334: __libc_connect (connect.c:26) <- sync (controller.c:42) <- invoke (functional:60)"
        ),
        "{text}"
    );
}

#[test]
fn code_without_a_name_is_told_by_its_place() {
    let trace = Trace {
        frames: vec![nameless()],
        cut: None,
    };
    assert_eq!(chain(&trace, false), "libpool.so+0x1f3a [build id 09afd3]");
}

#[test]
fn a_goroutine_that_dials_is_not_blamed() {
    let trace = Trace {
        frames: vec![
            frame("net.(*netFD).connect", "fd_unix.go", 96, Origin::Library),
            frame(
                "net/http.(*Transport).dialConnFor",
                "transport.go",
                1325,
                Origin::Library,
            ),
            frame("runtime.goexit", "asm_amd64.s", 1594, Origin::Library),
        ],
        cut: None,
    };
    let told = chain(&trace, false);
    assert!(told.contains("a goroutine of its own"), "{told}");
    let code = Code {
        open: 3,
        stacks: vec![(Arc::new(trace), 3)],
        ..Code::default()
    };
    let text = joined(&shown(&with(code, false)));
    assert!(
        text.contains("none of the 3 open was opened by a known frame of the program itself"),
        "{text}"
    );
}

/// A frame of a runtime.
fn runtime(function: &str, file: Option<&str>, module: Option<&str>) -> Arc<Frame> {
    Arc::new(Frame {
        function: Some(function.to_owned()),
        file: file.map(str::to_owned),
        module: module.map(str::to_owned),
        origin: Origin::Library,
        ..Frame::default()
    })
}

#[test]
fn runtimes_that_hide_the_program_say_how_they_would_not() {
    let told = |frames: Vec<Arc<Frame>>| chain(&Trace { frames, cut: None }, false);
    let node = runtime("uv__tcp_connect", None, Some("/usr/bin/node"));
    assert!(told(vec![node.clone()]).ends_with("--perf-basic-prof --interpreted-frames-native-stack"));
    let internal = runtime("internalConnect", Some("node:net"), None);
    assert!(told(vec![node, internal]).ends_with("whoever asked for the connection is not on this stack"));
    for module in ["/usr/bin/python3.11", "/usr/lib/libpython3.13.so.1.0"] {
        let frame = runtime("_PyEval_EvalFrameDefault", None, Some(module));
        assert!(told(vec![frame]).ends_with("only from 3.12 on, with -X perf"));
    }
    let other = runtime("connect", None, Some("/usr/bin/other"));
    assert!(told(vec![other]).ends_with("no frame of the program itself is known"));
}

#[test]
fn a_call_that_may_be_missing_is_shown_and_not_blamed() {
    let frames = vec![
        frame("connect", "connect.c", 26, Origin::Library),
        Arc::default(),
        frame("main", "/src/main.c", 12, Origin::Application),
    ];
    let trace = Arc::new(Trace { frames, cut: None });
    assert_eq!(chain(&trace, false), "? (a call is missing) <- main (main.c:12)");
    let code = Code {
        open: 3,
        stacks: vec![(Arc::clone(&trace), 3)],
        culprit: trace.culprit().map(|frame| (Arc::clone(frame), 3)),
        ..Code::default()
    };
    let text = joined(&shown(&with(code, false)));
    assert!(!text.contains("9090, opened at"), "{text}");
    assert!(
        text.contains("all 3 open were opened at ? (a call is missing)"),
        "{text}"
    );
}

#[test]
fn long_chains_are_cut_and_say_so() {
    let frames = (0..20)
        .map(|line| frame("f", "x.c", line + 1, Origin::Application))
        .collect();
    let told = chain(&Trace { frames, cut: None }, false);
    assert_eq!(told.matches("<-").count(), 6, "{told}");
    assert!(told.ends_with("<- ..."), "{told}");
}

#[test]
fn programs_get_frames_with_their_parts() {
    let body = lines::finding(&finding(Stage::Opened), &with(code(), false));
    let value: Value = serde_json::from_str(&lines::line(wall(), NOW, body)).unwrap();
    let code = &value["code"];
    assert_eq!((&code["open"], &code["elsewhere"]), (&json!(339), &json!(1)));
    assert_eq!(code["culprit"]["connections"], 335);
    assert_eq!(
        code["culprit"]["frame"],
        json!({
            "function": "sync", "file": "/src/controller.c", "line": 42, "module": "/usr/bin/controller",
            "inlined": false, "library": false
        })
    );
    assert_eq!(code["stacks"][0]["frames"].as_array().map(Vec::len), Some(5));
    assert_eq!(code["stacks"][1]["cut"], "no_frame_pointer");
    assert_eq!(code["unknown"], json!([{"reason": "older", "connections": 2}]));
}

#[test]
fn names_cannot_reach_the_terminal() {
    for name in HOSTILE {
        let name = String::from_utf8_lossy(name).into_owned();
        let hostile = Arc::new(Frame {
            function: Some(name.clone()),
            file: Some(name.clone()),
            line: NonZeroU32::new(1),
            module: Some(name.clone()),
            build_id: Some(name),
            ..Frame::default()
        });
        let trace = Arc::new(Trace {
            frames: vec![hostile.clone()],
            cut: None,
        });
        let code = Code {
            open: 1,
            stacks: vec![(trace, 1)],
            culprit: Some((hostile, 1)),
            ..Code::default()
        };
        let shown = shown(&with(code, true));
        assert!(shown.chars().all(|c| c == '\n' || is_harmless(c)), "{shown:?}");
    }
}

proptest! {
    #[test]
    fn any_frame_is_told_harmlessly(
        names in vec((option::of(".*"), option::of(".*"), any::<u32>()), 0..4),
        full: bool,
    ) {
        let frames = names.into_iter().map(|(function, file, line)| {
            let line = NonZeroU32::new(line);
            Arc::new(Frame { function, file, line, ..Frame::default() })
        });
        let trace = Trace { frames: frames.collect(), cut: Some(Cut::Deep) };
        prop_assert!(chain(&trace, full).chars().all(is_harmless));
    }
}
