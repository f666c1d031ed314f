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
    order::Order,
    programs::{Recipe, Running},
    puppet::{Puppet, loopback},
    scratch::Scratch,
    stream::{Books, Code, Frame},
    tracer_process::Tracer,
};

/// Connections that the function opens that leaks.
const LEAKED: u32 = 45;
/// A leak is told when that many opened in a row: by then the stack has been looked up.
const RULE: [&str; 6] = [
    "--direction",
    "outbound",
    "--min-opened",
    "35",
    "--min-span",
    "1s",
];

/// What a finding about a program says.
fn told(context: &Context, program: &mut Command, more: &[&str]) -> anyhow::Result<Code> {
    let mut server = Puppet::start("tt-server")?;
    let listener = server.listen(loopback(1))?;
    let mut tracer = Tracer::start_with(context, &[listener.port()], RULE.iter().chain(more))?;
    let pause = if Context::is_emulated() { "200" } else { "150" };
    program.args([&listener.port().to_string(), "20", &LEAKED.to_string(), pause]);
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
        match line["stack"].as_str() {
            Some(stack) => {
                let first = stacks
                    .entry(stack.to_owned())
                    .or_insert_with(|| line["peer"].to_string());
                ensure!(
                    line["peer"].to_string() == *first,
                    "one stack, two places: {line}"
                );
            }
            None => {
                ensure!(line["no_stack"] == "table_full", "{line}");
                without += 1;
            }
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
    let arguments = ["--direction", "outbound", "--record", record.as_str()];
    let tracer = Tracer::start_with(context, &[listener.port()], arguments.iter().chain(more))?;
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

/// The lines that tell of new connections.
fn opened(file: &Path) -> anyhow::Result<Vec<Value>> {
    fs::read_to_string(file)?
        .lines()
        .filter(|line| line.contains("\"kind\":\"opened\""))
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}
