//! All maps. Sizes are defaults; user space overrides them at load, those of filters with the number of values.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, RingBuf},
};
use tracer_common::{
    counter::Counters,
    event::COMM_LEN,
    snapshot::ProcessRow,
    stack::{self, StackRecord},
};

use crate::table::Words;

/// Records for user space.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// Tracked sockets that have no cell in [`FRONT`], for [`table`](crate::table). A plain hash whose insert can fail, and is
/// counted when it does: an LRU map would evict exactly the sockets that are leaked, the ones nobody has touched for
/// longest.
#[map]
pub static SOCKS: HashMap<u64, u64> = HashMap::with_max_entries(1 << 17, 0);

/// Tracked sockets by a hash of their address, one in each cell.
#[map]
pub static FRONT: Array<Words> = Array::with_max_entries(1, 0);

/// Loss counters, one entry.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// The socket that the return of `inet_csk_accept` last saw on this CPU, one entry.
#[map]
pub static LAST_ACCEPT: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// The next connection id, one entry shared by all CPUs.
#[map]
pub static NEXT_ID: Array<u64> = Array::with_max_entries(1, 0);

/// The process that the pass over all descriptors is at, one entry.
#[map]
pub static PASS: Array<Pass> = Array::with_max_entries(1, 0);

/// Where a pass over all descriptors is.
#[repr(C)]
pub struct Pass {
    /// The pass: a number of the kernel's.
    pub session: u64,
    /// The process that it is at, as far as it was read.
    pub row: ProcessRow,
}

/// The stacks that user space knows, by their ids; it takes out those of which nothing is open any more. Like [`SOCKS`]
/// a plain hash: what an LRU evicts would be told again and again.
#[map]
pub static STACKS: HashMap<u64, u8> = HashMap::with_max_entries(1 << 14, 0);

/// See [`tracer_common::names::map::SLOTS`]; user space writes what it has learned from unwind tables.
#[map]
pub static SLOTS: Array<u8> = Array::with_max_entries(stack::SLOTS, 0);

/// Room to take a stack, one for each of [`Place`](crate::stacks::Place).
#[map]
pub static STACK_ROOM: PerCpuArray<StackRecord> = PerCpuArray::with_max_entries(3, 0);

/// Bitmap of watched service ports: bit `port % 64` of word `port / 64`.
#[map]
pub static PORTS: Array<u64> = Array::with_max_entries(1024, 0);

/// Watched process ids.
#[map]
pub static PIDS: HashMap<u32, u8> = HashMap::with_max_entries(1, 0);

/// Watched process names.
#[map]
pub static COMMS: HashMap<[u64; COMM_LEN / 8], u8> = HashMap::with_max_entries(1, 0);

/// Watched peer prefixes.
#[map]
pub static PEERS: LpmTrie<[u64; 2], u8> = LpmTrie::with_max_entries(1, 0);
