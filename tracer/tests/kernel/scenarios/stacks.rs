//! Which code opened what is still open.

use std::{
    collections::{HashMap, HashSet},
    fs,
    net::Ipv4Addr,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    context::Context,
    harness::Skipped,
    lines::poll,
    order::Order,
    programs::{self, Recipe, Running, marked_line},
    puppet::{Puppet, loopback},
    scratch::Scratch,
    stream::{Books, Code, Frame},
    tracer_process::{Tracer, command},
};

/// Connections that the function opens that leaks.
const LEAKED: u32 = 45;
/// A leak is told when that many opened in a row: by then the stack has been looked up.
const IN_A_ROW: u32 = 35;

/// What a finding about a program says. The program is told what to do, and then `more`.
fn told(context: &Context, program: &mut Command, more: &[&str]) -> anyhow::Result<Code> {
    told_after(context, program, more, IN_A_ROW)
}

/// The same, told when that many opened in a row.
fn told_after(context: &Context, program: &mut Command, more: &[&str], row: u32) -> anyhow::Result<Code> {
    let mut server = Puppet::start("tt-server")?;
    let listener = server.listen(loopback(1))?;
    let row_text = row.to_string();
    let rule = [
        "--direction",
        "outbound",
        "--min-opened",
        &row_text,
        "--min-span",
        "1s",
    ];
    let mut tracer = Tracer::start_with(context, &[listener.port()], rule)?;
    let pause = if Context::is_emulated() { "200" } else { "150" };
    let leaked = (row + LEAKED - IN_A_ROW).to_string();
    program
        .args([&listener.port().to_string(), "20", &leaked, pause])
        .args(more);
    let running = Running::start(program)?;
    let alert = tracer.next_alert()?;
    ensure!(alert.process.pid == Some(running.pid()), "another one: {alert:?}");
    alert.code.context("no code")
}

/// What a finding about one of our programs says.
fn told_of(context: &Context, name: &str) -> anyhow::Result<(Code, &'static Recipe)> {
    let scratch = Scratch::new(context, name)?;
    let recipe = Recipe::of(name)?;
    let Some(program) = recipe.program(&scratch.path(""))? else {
        return Err(Skipped(format!("{name} cannot be compiled here")).into());
    };
    Ok((told(context, &mut Command::new(program), &[])?, recipe))
}

/// Checks that the leaking function is named, with its line, and no other call site.
fn names(code: &Code, function: &str, file: &str, line: Option<u32>) -> anyhow::Result<()> {
    let culprit = code
        .culprit
        .as_ref()
        .with_context(|| format!("nobody is named: {code:?}"))?;
    ensure!(culprit.connections == code.open, "not all of them: {code:?}");
    let frame = &culprit.frame;
    let name = frame.function.as_deref().unwrap_or_default();
    ensure!(name.contains(function), "the culprit is {frame:?}");
    ensure!(
        frame.file.as_deref().is_some_and(|path| path.ends_with(file)),
        "{frame:?}"
    );
    ensure!(
        line.is_none() || frame.line == line,
        "not line {line:?}: {frame:?}"
    );
    ensure!(frames(code).all(|frame| !mentions(frame, "close")), "{code:?}");
    Ok(())
}

fn frames(code: &Code) -> impl Iterator<Item = &Frame> {
    code.stacks.iter().flat_map(|stack| &stack.frames)
}

fn mentions(frame: &Frame, part: &str) -> bool {
    let name = frame.function.as_deref().unwrap_or_default();
    name.to_ascii_lowercase().contains(part)
}

pub fn c(context: &Context) -> anyhow::Result<()> {
    let (code, recipe) = told_of(context, "leak-c")?;
    names(&code, "open_and_leak", "leak.c", Some(recipe.marked_line()?))?;
    ensure!(
        frames(&code).any(|frame| mentions(frame, "main")),
        "not whole: {code:?}"
    );
    ensure!(code.stacks.iter().all(|stack| stack.cut.is_none()), "{code:?}");
    Ok(())
}

/// The function that makes the call is known, and that nothing else is.
pub fn c_without_frame_pointers(context: &Context) -> anyhow::Result<()> {
    let (code, recipe) = told_of(context, "leak-c-bare")?;
    names(&code, "open_and_leak", "leak.c", Some(recipe.marked_line()?))?;
    let [stack] = code.stacks.as_slice() else {
        anyhow::bail!("several stacks: {code:?}");
    };
    ensure!(stack.cut.as_deref() == Some("no_frame_pointer"), "{stack:?}");
    Ok(())
}

/// Where the code lies is known.
pub fn c_stripped(context: &Context) -> anyhow::Result<()> {
    let (code, _) = told_of(context, "leak-c-strip")?;
    let culprit = code.culprit.context("nobody is named")?.frame;
    ensure!(
        culprit.function.is_none() && culprit.offset.is_some(),
        "{culprit:?}"
    );
    ensure!(
        culprit
            .module
            .as_deref()
            .is_some_and(|path| path.ends_with("leak-c-strip")),
        "{culprit:?}"
    );
    ensure!(
        culprit.build_id.as_ref().is_some_and(|id| id.len() == 40),
        "{culprit:?}"
    );
    Ok(())
}

/// A template that is inlined, its name demangled.
pub fn cpp(context: &Context) -> anyhow::Result<()> {
    let (code, recipe) = told_of(context, "leak-cpp")?;
    names(&code, "open_and_leak", "leak.cc", Some(recipe.marked_line()?))?;
    let inlined = frames(&code).find(|frame| mentions(frame, "open_and_leak"));
    ensure!(inlined.is_some_and(|frame| frame.inlined), "{code:?}");
    ensure!(
        frames(&code).any(|frame| frame.function.as_deref() == Some("app::Pool::grow()")),
        "{code:?}"
    );
    Ok(())
}

pub fn rust(context: &Context) -> anyhow::Result<()> {
    let (code, recipe) = told_of(context, "leak-rust")?;
    names(
        &code,
        "leak::open_and_leak",
        "leak.rs",
        Some(recipe.marked_line()?),
    )?;
    ensure!(
        frames(&code).any(|frame| frame.library && mentions(frame, "std::net")),
        "{code:?}"
    );
    Ok(())
}

pub fn go(context: &Context) -> anyhow::Result<()> {
    let (code, recipe) = told_of(context, "leak-go")?;
    names(&code, "main.openAndLeak", "leak.go", Some(recipe.marked_line()?))
}

/// Without symbols and debug information: by the table that Go's runtime needs.
pub fn go_stripped(context: &Context) -> anyhow::Result<()> {
    // The second needs a loader, which guests do not have.
    let names_here = if Context::is_emulated() {
        &["leak-go-strip"][..]
    } else {
        &["leak-go-strip", "leak-go-pie"]
    };
    for name in names_here {
        let (code, recipe) = told_of(context, name)?;
        names(&code, "main.openAndLeak", "leak.go", Some(recipe.marked_line()?))
            .with_context(|| (*name).to_owned())?;
        ensure!(
            frames(&code).any(|frame| frame.library && mentions(frame, "net.(*sysdialer)")),
            "{name}: {code:?}"
        );
    }
    Ok(())
}

/// A function of a script that is compiled at run time, by its name in the perf map; its line is where it begins. Node has
/// threads, so the first connections lack their caller until it is known where the C library keeps it.
pub fn node(context: &Context) -> anyhow::Result<()> {
    let code = told_of_node(context, &["1"])?;
    let culprit = code.culprit.as_ref().with_context(|| format!("{code:?}"))?;
    let frame = &culprit.frame;
    ensure!(culprit.connections * 2 > code.open, "{code:?}");
    ensure!(frame.function.as_deref() == Some("openAndLeak"), "{frame:?}");
    ensure!(
        frame
            .file
            .as_deref()
            .is_some_and(|path| path.ends_with("/leak.js")),
        "{frame:?}"
    );
    ensure!(frame.line == Some(marked_line(programs::NODE)?), "{frame:?}");
    Ok(())
}

/// The event loop connects: nobody can tell who asked, and nobody is blamed.
pub fn node_dials(context: &Context) -> anyhow::Result<()> {
    let code = told_of_node(context, &[])?;
    ensure!(code.culprit.is_none(), "{code:?}");
    let by_loop = code.stacks.iter().filter(|stack| {
        stack
            .frames
            .iter()
            .any(|frame| mentions(frame, "internalconnect"))
    });
    ensure!(
        by_loop.map(|stack| stack.connections).sum::<u32>() * 2 > code.open,
        "{code:?}"
    );
    ensure!(frames(&code).all(|frame| frame.library), "{code:?}");
    Ok(())
}

fn told_of_node(context: &Context, more: &[&str]) -> anyhow::Result<Code> {
    need("node")?;
    let scratch = Scratch::new(context, "node")?;
    let script = scratch.path("leak.js");
    fs::write(&script, programs::NODE)?;
    let mut node = Command::new("node");
    node.args(["--perf-basic-prof", "--interpreted-frames-native-stack"])
        .arg(&script)
        // It leaves a log where it runs.
        .current_dir(scratch.path(""));
    told_after(context, &mut node, more, 80)
}

/// A Python that names its functions is told to do so; of one that cannot, nobody is blamed.
pub fn python(context: &Context) -> anyhow::Result<()> {
    need("python3")?;
    let scratch = Scratch::new(context, "python")?;
    let script = scratch.path("leak.py");
    fs::write(&script, programs::PYTHON)?;
    let can_name = Command::new("python3")
        .args([
            "-X",
            "perf",
            "-c",
            "import sys; sys.exit(not hasattr(sys, 'activate_stack_trampoline'))",
        ])
        .status()?
        .success();
    let mut python = Command::new("python3");
    if can_name {
        python.args(["-X", "perf"]);
    }
    let code = told(context, python.arg(&script), &[])?;
    if can_name {
        return names(&code, "open_and_leak", "leak.py", None);
    }
    ensure!(code.culprit.is_none() && !code.stacks.is_empty(), "{code:?}");
    ensure!(frames(&code).all(|frame| frame.library), "{code:?}");
    Ok(())
}

fn need(program: &str) -> anyhow::Result<()> {
    if programs::has(program) {
        Ok(())
    } else {
        Err(Skipped(format!("there is no {program} here")).into())
    }
}

/// The program lies in a mount namespace and a root of its own.
pub fn container(context: &Context) -> anyhow::Result<()> {
    let scratch = Scratch::new(context, "container")?;
    let recipe = Recipe::of("leak-c")?;
    let Some(program) = recipe.program(&scratch.path(""))? else {
        return Err(Skipped("leak-c cannot be compiled here".to_owned()).into());
    };
    let root = scratch.path("root");
    fs::create_dir(&root)?;
    let enter =
        "mount -t tmpfs tmpfs \"$0\" && cp \"$1\" \"$0/leak\" && shift && exec chroot \"$0\" /leak \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", enter]).arg(&root).arg(program);
    let code = told(context, &mut command, &[])?;
    ensure!(!root.join("leak").exists(), "it is in our namespace");
    names(&code, "open_and_leak", "leak.c", Some(recipe.marked_line()?))
}

/// One place leaks while another closes: of the recording, what is open is counted for the former only.
pub fn two_sites(context: &Context) -> anyhow::Result<()> {
    let scratch = Scratch::new(context, "sites")?;
    let Some(program) = Recipe::of("leak-c")?.program(&scratch.path(""))? else {
        return Err(Skipped("leak-c cannot be compiled here".to_owned()).into());
    };
    let file = scratch.path("rec");
    let mut server = Puppet::start("tt-server")?;
    let listener = server.listen(loopback(1))?;
    let record = file.to_string_lossy().into_owned();
    let tracer = Tracer::start_with(
        context,
        &[listener.port()],
        ["--direction", "outbound", "--record", &record],
    )?;
    let running = Running::start(Command::new(program).args([
        &listener.port().to_string(),
        "20",
        &LEAKED.to_string(),
        "20",
        "mixed",
    ]))?;
    running.wait()?;
    poll("the stack in the recording", || {
        let recorded = fs::read_to_string(&file)?;
        Ok(recorded.contains("\"kind\":\"stack\"").then_some(()))
    })?;
    let books = tracer.stop()?.summary.books;
    // The kernel may skip runs of a program on its own account; a snapshot then finds the connection, without a stack.
    ensure!(books.lost() <= books.skipped(), "{books:?}");
    let replayed = Command::new(&context.program)
        .args(["replay", "--output", "folded"])
        .arg(&file)
        .output()?;
    ensure!(replayed.status.success(), "{replayed:?}");
    let folded = String::from_utf8(replayed.stdout)?;
    let mut leaking = 0;
    for line in folded.lines() {
        let (stack, count) = line.rsplit_once(' ').context("no count")?;
        ensure!(!stack.contains("open_and_close"), "{folded}");
        if stack.contains("open_and_leak") {
            leaking += count.parse::<u64>()?;
        }
    }
    let leaked = u64::from(LEAKED);
    ensure!(
        leaking <= leaked && leaking + books.skipped() >= leaked,
        "{leaking} of {leaked}: {folded}"
    );
    Ok(())
}

/// Opened on request only.
pub fn off(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let scratch = Scratch::new(context, "stacks-off")?;
    let file = scratch.path("rec");
    let record = file.to_string_lossy().into_owned();
    let asked = |choice: &str, client: &mut Puppet, server: &mut Puppet| -> anyhow::Result<[usize; 2]> {
        let tracer = Tracer::start_with(
            context,
            &[listener.port()],
            ["--record", &record, "--stacks", choice],
        )?;
        client.connect(listener.address, 3)?;
        server.accept(listener, 3)?;
        let last = tracer.stop()?;
        ensure!(last.summary.books.lost() == 0, "{:?}", last.summary.books);
        let mut known = [0, 0];
        for line in opened(&file)? {
            let index = usize::from(line["direction"] == "inbound");
            known[index] += usize::from(line["stack"].is_string());
        }
        Ok(known)
    };
    ensure!(asked("off", &mut client, &mut server)? == [0, 0]);
    ensure!(asked("outbound", &mut client, &mut server)? == [3, 0]);
    ensure!(asked("all", &mut client, &mut server)? == [3, 3]);
    Ok(())
}

/// A thousand stacks, each of which opens connections to an address of its own.
pub fn thousand(context: &Context) -> anyhow::Result<()> {
    let rounds = if Context::is_emulated() { 2 } else { 6 };
    let (lines, books) = many(context, 1000, rounds, &[])?;
    let missing = (1000 * rounds).saturating_sub(lines.len());
    ensure!(
        u64::try_from(missing)? <= books.skipped(),
        "{missing} are missing: {books:?}"
    );
    let mut stacks = HashMap::new();
    for line in &lines {
        let stack = line["stack"]
            .as_str()
            .with_context(|| format!("no stack: {line}"))?;
        let first = stacks
            .entry(line["peer"].to_string())
            .or_insert_with(|| stack.to_owned());
        ensure!(first == stack, "one place, two stacks: {line}");
    }
    ensure!(stacks.len() >= 990, "{} places", stacks.len());
    let distinct: HashSet<&String> = stacks.values().collect();
    ensure!(
        distinct.len() == stacks.len(),
        "{} stacks of {} places",
        distinct.len(),
        stacks.len()
    );
    ensure!(
        books.stack_table_full == 0 && books.no_user_stack == 0,
        "{books:?}"
    );
    Ok(())
}

/// What the table has no room for is told without a stack, and counted.
pub fn table_full(context: &Context) -> anyhow::Result<()> {
    let (lines, books) = many(context, 500, 2, &["--max-stacks", "64"])?;
    let mut stacks = HashMap::new();
    let mut without = 0;
    for line in &lines {
        if let Some(stack) = line["stack"].as_str() {
            let peer = &line["peer"];
            let first = stacks.entry(stack).or_insert(peer);
            ensure!(peer == *first, "one stack, two places: {line}");
        } else {
            ensure!(line["no_stack"] == "table_full", "{line}");
            without += 1;
        }
    }
    ensure!(stacks.len() >= 64, "{} stacks", stacks.len());
    ensure!(
        without > 0 && books.stack_table_full == without,
        "{without} without: {books:?}"
    );
    Ok(())
}

/// The lines of the connections of the program with many stacks, and what was counted.
fn many(
    context: &Context,
    stacks: usize,
    rounds: usize,
    more: &[&str],
) -> anyhow::Result<(Vec<Value>, Books)> {
    let scratch = Scratch::new(context, "many")?;
    let Some(program) = Recipe::of("many-c")?.program(&scratch.path(""))? else {
        return Err(Skipped("many-c cannot be compiled here".to_owned()).into());
    };
    let mut server = Puppet::start("tt-server")?;
    let listener = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let file = scratch.path("rec");
    let record = file.to_string_lossy().into_owned();
    // Tables of a thousand peers ten times a second would be most of the work.
    let mut tracer = Tracer::run(
        command(context)
            .args([
                "--output",
                "json",
                "--interval",
                "5s",
                "--rows",
                "1000",
                "--direction",
                "outbound",
            ])
            .args(["--port", &listener.port().to_string(), "--record", &record])
            .args(more),
    )?;
    tracer.attached(context)?;
    server.send(&Order::ChurnAccept {
        listener: listener.socket,
        each: stacks * rounds,
        threads: 1,
    })?;
    let running = Running::start(Command::new(program).args([
        listener.port().to_string(),
        stacks.to_string(),
        rounds.to_string(),
    ]))?;
    running.wait()?;
    server.done()?;
    let last = tracer.stop()?;
    let books = last.summary.books;
    // The kernel may skip runs of a program on its own account.
    ensure!(books.lost() <= books.skipped(), "{books:?}");
    Ok((opened(&file)?, books))
}

/// The lines that tell of connections that were seen opening. What a snapshot finds an instant before its event comes is
/// told as found first.
fn opened(file: &Path) -> anyhow::Result<Vec<Value>> {
    fs::read_to_string(file)?
        .lines()
        .filter(|line| line.contains("\"kind\":\"opened\"") && !line.contains("\"preexisting\":true"))
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}
