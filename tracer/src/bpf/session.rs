//! A backend at work: the programs, their maps, and what they cover. Dropping it detaches everything; so does the
//! kernel when the process dies, for nothing is pinned.

use aya::{
    Ebpf,
    maps::{Map, MapData, PerCpuArray, RingBuf},
};
use log::info;
use thiserror::Error;
use tracer_common::{
    counter::{COUNT, Counter},
    names::map,
};

use super::{
    attach::{Links, attach},
    coverage::{Coverage, ProgramOutcome},
    filter::Filter,
    misses::{MissReader, Misses},
    object::{self, KernelTypes, ObjectError, Sizes, StackChoice},
    plan::{Backend, programs},
    selftest::{self, Verdict},
    snapshot::{SnapshotError, Snapshots},
    stacks::StackMaps,
};
use crate::model::{snapshot::Snapshot, time::Time};

/// Why nothing can be traced.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The object does not suit this kernel.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// No backend of those allowed works.
    #[error("{}", none_works(.0))]
    NoBackend(Vec<(Backend, String)>),
}

fn none_works(failures: &[(Backend, String)]) -> String {
    let reasons: Vec<String> = failures
        .iter()
        .map(|(backend, reason)| format!("{backend}: {reason}"))
        .collect();
    let subject = if failures.len() == 1 {
        "the backend cannot be used here"
    } else {
        "no backend can be used here"
    };
    format!(
        "{subject} ({}); `tracer doctor` shows every program's reason",
        reasons.join("; ")
    )
}

/// What a session is to do.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Backends to try, best first.
    pub backends: Vec<Backend>,
    /// What to watch.
    pub filter: Filter,
    /// Sizes of the kernel's tables.
    pub sizes: Sizes,
    /// Whose stacks to take.
    pub stacks: StackChoice,
    /// Highest level of kernel-side diagnostics, 0 for none.
    pub log_level: u8,
}

/// A backend at work.
pub struct Session {
    ebpf: Ebpf,
    counters: PerCpuArray<MapData, [u64; COUNT]>,
    coverage: Coverage,
    links: Links,
    verdict: Verdict,
    own_records: u64,
    snapshots: Result<Snapshots, SnapshotError>,
    misses: MissReader,
    stacks: StackMaps,
}

/// What a session starts with.
pub struct Started {
    /// The session.
    pub session: Session,
    /// Where its records arrive.
    pub ring: RingBuf<MapData>,
    /// Records of others that arrived during the self-test.
    pub pending: Vec<Vec<u8>>,
}

impl Session {
    /// Attaches the first backend that works: every required program attached, and the self-test passed.
    ///
    /// # Errors
    /// When none does, with each one's reason.
    pub fn start(types: &KernelTypes, settings: &SessionSettings) -> Result<Started, SessionError> {
        let mut failures = Vec::new();
        for &backend in &settings.backends {
            match Self::start_backend(types, settings, backend)? {
                Ok(started) => {
                    info!("backend {backend} attached");
                    return Ok(started);
                }
                Err(reason) => {
                    info!("backend {backend} cannot be used: {reason}");
                    failures.push((backend, reason));
                }
            }
        }
        Err(SessionError::NoBackend(failures))
    }

    fn start_backend(
        types: &KernelTypes,
        settings: &SessionSettings,
        backend: Backend,
    ) -> Result<Result<Started, String>, SessionError> {
        let mut ebpf = object::open(
            types,
            &settings.filter,
            settings.sizes,
            settings.stacks,
            settings.log_level,
        )?;
        let (coverage, links) = attach_all(&mut ebpf, types, backend);
        if let Some(failure) = coverage.failure() {
            let reason = failure.result.reason().unwrap_or_default();
            return Ok(Err(format!("{}: {reason}", failure.program.hook)));
        }
        let mut ring = RingBuf::try_from(taken(&mut ebpf, map::EVENTS)?).map_err(ObjectError::Filter)?;
        let counters =
            PerCpuArray::try_from(taken(&mut ebpf, map::COUNTERS)?).map_err(ObjectError::Filter)?;
        let mut stacks = StackMaps::take(&mut ebpf).map_err(ObjectError::Filter)?;
        let tested = selftest::run(&mut ring, &coverage);
        if let Verdict::Wrong(what) = &tested.verdict {
            return Ok(Err(format!("self-test failed: {what}")));
        }
        for id in &tested.own_stacks {
            stacks.forget(*id);
        }
        let snapshots = Snapshots::new(&mut ebpf, types.btf());
        let session = Self {
            misses: MissReader::new(&ebpf),
            stacks,
            snapshots,
            ebpf,
            counters,
            coverage,
            links,
            own_records: tested.own,
            verdict: tested.verdict,
        };
        Ok(Ok(Started {
            session,
            ring,
            pending: tested.others,
        }))
    }

    /// What is attached.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Why the self-test could not run; `None` if it did.
    pub fn untested(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::NotRun(why) => Some(why),
            Verdict::Right | Verdict::Wrong(_) => None,
        }
    }

    /// `Some(true)` if the self-test confirmed the hooks, `None` if it could not run.
    pub fn verified(&self) -> Option<bool> {
        (self.verdict == Verdict::Right).then_some(true)
    }

    /// Why the descriptor tables cannot be read through an iterator; `None` if they can.
    pub fn iterator_refused(&self) -> Option<&SnapshotError> {
        self.snapshots.as_ref().err()
    }

    /// Reads who holds what.
    ///
    /// # Errors
    /// When the kernel does not let us, or reading fails.
    pub fn snapshot(&mut self, began: Time) -> Result<Snapshot, SnapshotError> {
        match &mut self.snapshots {
            Ok(snapshots) => snapshots.read(&mut self.ebpf, began),
            Err(refused) => Err(SnapshotError::Iterator(refused.to_string())),
        }
    }

    /// Records of the self-test: the kernel side counts them, nobody else sees them.
    pub fn own_records(&self) -> u64 {
        self.own_records
    }

    /// The kernel side's tables of stacks.
    pub fn stacks(&mut self) -> &mut StackMaps {
        &mut self.stacks
    }

    /// Takes the programs off their hooks; counters can still be read.
    pub fn detach(&mut self) {
        self.misses.detach();
        self.links.clear();
    }

    /// The kernel object, for the logger.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// The sum of a counter over all CPUs.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counters(&self) -> Result<[u64; COUNT], aya::maps::MapError> {
        let per_cpu = self.counters.get(&0, 0)?;
        let mut sums = [0; COUNT];
        for cells in per_cpu.iter() {
            for (sum, cell) in sums.iter_mut().zip(cells) {
                *sum += cell;
            }
        }
        Ok(sums)
    }

    /// Runs that the kernel skipped, of each program in use.
    pub fn misses(&mut self) -> Vec<Misses> {
        self.misses.read(&self.ebpf)
    }
}

/// One counter of [`Session::counters`].
pub fn cell(sums: &[u64; COUNT], counter: Counter) -> u64 {
    sums.get(counter as usize).copied().unwrap_or(0)
}

/// Loads and attaches every program of a backend; stops at the first required one that fails, for the rest would
/// be thrown away.
fn attach_all(ebpf: &mut Ebpf, types: &KernelTypes, backend: Backend) -> (Coverage, Links) {
    let mut coverage = Coverage {
        backend,
        programs: Vec::new(),
    };
    let mut links = Links::new();
    for program in programs(backend, types.facts()) {
        coverage
            .programs
            .push(attach(ebpf, program, types.btf(), &mut links));
        if coverage.failure().is_some() {
            break;
        }
    }
    (coverage, links)
}

/// How every program of a backend fares, each tried for itself.
///
/// # Errors
/// When the object does not suit this kernel.
pub fn try_all(types: &KernelTypes, backend: Backend) -> Result<Vec<ProgramOutcome>, ObjectError> {
    let mut ebpf = object::open(types, &Filter::default(), Sizes::default(), StackChoice::All, 0)?;
    let mut links = Links::new();
    Ok(programs(backend, types.facts())
        .into_iter()
        .map(|program| attach(&mut ebpf, program, types.btf(), &mut links))
        .collect())
}

fn taken(ebpf: &mut Ebpf, name: &str) -> Result<Map, ObjectError> {
    ebpf.take_map(name).ok_or_else(|| {
        ObjectError::Filter(aya::maps::MapError::InvalidName {
            name: name.to_owned(),
        })
    })
}
