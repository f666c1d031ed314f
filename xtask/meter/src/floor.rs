//! The least that tracing can cost: programs that do nothing, or no more than fill a ring, on the hooks of the tracer
//! (`tracer-ebpf/src/floor.rs`), and a reader that does no more than empty it.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::RingBuf;
use aya::programs::Program;
use aya::{Btf, Ebpf};

/// As often as the tracer does.
const DRAIN_EVERY: Duration = Duration::from_millis(100);

/// Attaches the programs of the object whose names begin with `prefix`, and reads the ring until it is killed.
pub(crate) fn run(object: &str, prefix: &str) -> Result<()> {
    let mut floor = Ebpf::load_file(object).with_context(|| format!("cannot load {object}"))?;
    let btf = Btf::from_sys_fs()?;
    let mut attached = 0;
    for (name, program) in floor.programs_mut().filter(|(name, _)| name.starts_with(prefix)) {
        attach(name, program, &btf).with_context(|| format!("cannot attach {name}"))?;
        attached += 1;
    }
    ensure!(attached > 0, "{object} has no program {prefix}*");
    let ring = floor.take_map("RING").context("the object has no ring")?;
    let mut ring = RingBuf::try_from(ring)?;
    let mut bytes = 0;
    loop {
        while let Some(record) = ring.next() {
            bytes += std::hint::black_box(&record).len();
        }
        std::hint::black_box(bytes);
        sleep(DRAIN_EVERY);
    }
}

/// The hook is the program's name after the first `_`.
fn attach(name: &str, program: &mut Program, btf: &Btf) -> Result<()> {
    let hook = name.split_once('_').map_or(name, |(_, hook)| hook);
    match program {
        Program::FEntry(program) => {
            program.load(hook, btf)?;
            program.attach()?;
        }
        Program::FExit(program) => {
            program.load(hook, btf)?;
            program.attach()?;
        }
        Program::BtfTracePoint(program) => {
            program.load(hook, btf)?;
            program.attach()?;
        }
        _ => bail!("another type of program"),
    }
    Ok(())
}
