//! The kernel object with this kernel's field offsets, this run's filters and this host's sizes filled in.

use aya::{
    Btf as AyaBtf, Ebpf, EbpfError, EbpfLoader,
    maps::{Array, HashMap, LpmTrie, MapError, lpm_trie::Key},
};
use thiserror::Error;
use tracer_common::{
    event::COMM_LEN,
    layout::{ABSENT, FIELDS, OPTIONAL},
    names::{global, map},
    stack::wanted,
};

use super::{filter::Filter, plan::KernelFacts, preflight::in_initial_pid_namespace};
use crate::btf::{Btf, BtfError, FieldSpec, ResolveError, function_params, resolve_all};

/// The object that `cargo xtask build-ebpf` made.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tracer-ebpf.o"));

/// Why the object cannot be prepared for this kernel.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// The kernel's type information is damaged, or not type information at all.
    #[error("the kernel's type information cannot be used: {0}")]
    Btf(#[from] BtfError),
    /// aya cannot read it.
    #[error("the kernel's type information cannot be used: {0}")]
    AyaBtf(#[from] aya::BtfError),
    /// A field that the programs read does not exist in this kernel.
    #[error("this kernel lacks a field that tracer reads: {0}")]
    Field(#[from] ResolveError),
    /// A field has another size than the programs read.
    #[error("struct {container} member {member} has {found} bytes in this kernel, tracer reads {expected}")]
    FieldSize {
        /// Structure.
        container: &'static str,
        /// Member.
        member: &'static str,
        /// Bytes the programs read.
        expected: u32,
        /// Bytes in this kernel.
        found: u32,
    },
    /// The maps cannot be created.
    #[error("the kernel refuses the maps: {}", root_cause(.0))]
    Load(#[source] EbpfError),
    /// A filter cannot be handed over.
    #[error("a filter cannot be handed to the kernel: {0}")]
    Filter(#[source] MapError),
}

/// The innermost reason, with the outermost's words where there is none.
fn root_cause(error: &EbpfError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if cause.to_string() == error.to_string() {
        error.to_string()
    } else {
        format!("{error}: {cause}")
    }
}

/// What this kernel's type information says, read once.
pub struct KernelTypes {
    offsets: Vec<(&'static str, u32)>,
    facts: KernelFacts,
    btf: AyaBtf,
}

impl KernelTypes {
    /// Resolves every field in the text of the kernel's BTF.
    ///
    /// # Errors
    /// When it is no BTF, or a field is missing or has another size.
    pub fn new(bytes: &[u8]) -> Result<Self, ObjectError> {
        let btf = Btf::parse(bytes)?;
        let specs: Vec<FieldSpec<'_>> = FIELDS
            .iter()
            .map(|field| FieldSpec::new(field.container, field.member))
            .collect();
        let mut offsets = Vec::with_capacity(FIELDS.len());
        for (field, member) in FIELDS.iter().zip(resolve_all(&btf, &specs)) {
            let member = match member {
                Err(_) if OPTIONAL.contains(&field.global) => {
                    offsets.push((field.global, ABSENT));
                    continue;
                }
                member => member?,
            };
            if member.size != field.size {
                return Err(ObjectError::FieldSize {
                    container: field.container,
                    member: field.member,
                    expected: field.size,
                    found: member.size,
                });
            }
            offsets.push((field.global, member.offset));
        }
        let facts = KernelFacts {
            accept_parameters: function_params(&btf, "inet_csk_accept"),
        };
        let btf = AyaBtf::parse(bytes, aya::Endianness::default())?;
        Ok(Self { offsets, facts, btf })
    }

    /// What the choice of programs depends on.
    pub fn facts(&self) -> KernelFacts {
        self.facts
    }

    /// The same types for aya.
    pub fn btf(&self) -> &AyaBtf {
        &self.btf
    }
}

/// Sizes of the kernel's tables.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes of the ring buffer; a power of two, at least a page.
    pub ring_bytes: u32,
    /// Connections tracked at once.
    pub connections: u32,
    /// Stacks known at once.
    pub stacks: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            connections: 1 << 17,
            stacks: 1 << 14,
        }
    }
}

impl Sizes {
    /// Binary logarithm of the number of cells before the table of sockets, 24 bytes each. As many as connections, up to
    /// 1.5 MiB; none where they would make a small limit another one, for they are not part of it.
    fn front_bits(self) -> u8 {
        const SMALL: u32 = 1 << 12;
        const MOST: u32 = 16;
        match self.connections {
            0..SMALL => 0,
            connections => u8::try_from(connections.ilog2().min(MOST)).unwrap_or(0),
        }
    }
}

/// Whose stacks are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackChoice {
    /// Nobody's.
    Off,
    /// Those of processes that connect.
    Outbound,
    /// Those of processes that accept, too.
    #[default]
    All,
}

impl StackChoice {
    const fn number(self) -> u8 {
        match self {
            Self::Off => wanted::NONE,
            Self::Outbound => wanted::OUTBOUND,
            Self::All => wanted::ALL,
        }
    }
}

/// Entries of a map for so many values: a map has at least one.
fn room(values: usize) -> u32 {
    u32::try_from(values).unwrap_or(u32::MAX).max(1)
}

/// Creates the maps and prepares, but does not load, the programs.
///
/// # Errors
/// When the kernel refuses a map.
pub fn open(
    types: &KernelTypes,
    filter: &Filter,
    sizes: Sizes,
    stacks: StackChoice,
    log_level: u8,
) -> Result<Ebpf, ObjectError> {
    let flag = |on: bool| u8::from(on);
    let ports = flag(!filter.ports.is_empty());
    let pids = flag(!filter.pids.is_empty());
    let comms = flag(!filter.comms.is_empty());
    let peers = flag(!filter.peers.is_empty());
    let direction = filter
        .direction
        .map_or(0, crate::model::connection::Direction::number);
    // In a PID namespace our number may be another process's on the host, which must not pass the filters.
    let self_tgid = if in_initial_pid_namespace() {
        std::process::id()
    } else {
        0
    };
    // A quarter leaves three for what arrives while the reader wakes up.
    let wakeup = u64::from(sizes.ring_bytes / 4);
    // Nobody may choose addresses so that two stacks look like one.
    let wanted = stacks.number();
    let stack_key = fastrand::u64(..);
    let front_bits = sizes.front_bits();
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(&types.btf))
        .map_max_entries(map::EVENTS, sizes.ring_bytes)
        .map_max_entries(map::SOCKS, sizes.connections)
        .map_max_entries(map::FRONT, 1 << front_bits)
        .map_max_entries(
            map::STACKS,
            if stacks == StackChoice::Off {
                1
            } else {
                sizes.stacks
            },
        )
        .map_max_entries(map::PIDS, room(filter.pids.len()))
        .map_max_entries(map::COMMS, room(filter.comms.len()))
        .map_max_entries(map::PEERS, room(filter.peers.len()))
        .override_global(global::FILTER_PORTS, &ports, true)
        .override_global(global::FILTER_PIDS, &pids, true)
        .override_global(global::FILTER_COMMS, &comms, true)
        .override_global(global::FILTER_PEERS, &peers, true)
        .override_global(global::FILTER_DIRECTION, &direction, true)
        .override_global(global::SELF_TGID, &self_tgid, true)
        .override_global(global::WAKEUP_BYTES, &wakeup, true)
        .override_global(global::FRONT_BITS, &front_bits, true)
        .override_global(global::STACKS, &wanted, true)
        .override_global(global::STACK_KEY, &stack_key, true)
        .override_global(global::LOG_LEVEL, &log_level, true);
    for (name, offset) in &types.offsets {
        loader.override_global(name, offset, true);
    }
    let mut ebpf = loader.load(OBJECT).map_err(ObjectError::Load)?;
    fill_filters(&mut ebpf, filter).map_err(ObjectError::Filter)?;
    Ok(ebpf)
}

fn fill_filters(ebpf: &mut Ebpf, filter: &Filter) -> Result<(), MapError> {
    if !filter.ports.is_empty() {
        let mut ports: Array<_, u64> = named(ebpf, map::PORTS)?;
        for (index, word) in (0_u32..).zip(filter.port_words()) {
            if word != 0 {
                ports.set(index, word, 0)?;
            }
        }
    }
    let mut pids: HashMap<_, u32, u8> = named(ebpf, map::PIDS)?;
    for pid in &filter.pids {
        pids.insert(pid, 1, 0)?;
    }
    let mut comms: HashMap<_, [u8; COMM_LEN], u8> = named(ebpf, map::COMMS)?;
    for comm in filter.comm_keys() {
        comms.insert(comm, 1, 0)?;
    }
    let mut peers: LpmTrie<_, [u8; 16], u8> = named(ebpf, map::PEERS)?;
    for (length, address) in filter.peer_prefixes() {
        peers.insert(&Key::new(length, address), 1, 0)?;
    }
    Ok(())
}

/// A map of the object in its typed form.
pub(super) fn named<'a, M>(ebpf: &'a mut Ebpf, name: &str) -> Result<M, MapError>
where
    M: TryFrom<&'a mut aya::maps::Map, Error = MapError>,
{
    ebpf.map_mut(name)
        .ok_or_else(|| MapError::InvalidName {
            name: name.to_owned(),
        })
        .and_then(M::try_from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_limit_has_no_front() {
        let bits = |connections| {
            let sizes = Sizes {
                connections,
                ..Sizes::default()
            };
            sizes.front_bits()
        };
        assert_eq!(
            [1, 64, 4095, 4096, 5000, 65536, u32::MAX].map(bits),
            [0, 0, 0, 12, 12, 16, 16]
        );
    }
}
