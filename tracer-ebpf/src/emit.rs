//! Records into the ring buffer, every failure counted.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::bpf_ringbuf_output,
    maps::ring_buf::RingBufEntry,
};
use tracer_common::{counter::Counter, event::Change};

use crate::{counters::Books, globals::WAKEUP_BYTES, maps::EVENTS};

/// How full the buffer is, is asked once in so many records of a CPU.
const LOOK_EVERY: u64 = 8;

/// Room for one record. Must be [submitted](Pending::submit) or [given up](Pending::lose); the verifier checks.
pub struct Pending<T: 'static> {
    entry: RingBufEntry<T>,
    books: Books,
}

impl<T> Pending<T> {
    /// Takes room for a fact, which counts as seen; `None`, and counted, when the buffer is full.
    #[inline(always)]
    pub fn reserve() -> Option<Self> {
        let books = Books::of_this_cpu()?;
        books.count(Counter::Seen);
        let entry = EVENTS.reserve::<T>(0);
        if entry.is_none() {
            books.count(Counter::RingFull);
        }
        entry.map(|entry| Self { entry, books })
    }

    /// The record, to be written field by field: it would not fit the 512 bytes of stack twice.
    #[inline(always)]
    pub fn record(&mut self) -> *mut T {
        MaybeUninit::as_mut_ptr(&mut self.entry)
    }

    /// Hands the record over.
    ///
    /// A wakeup per record would cost more than the record: the reader drains on a tick, and is woken only when
    /// the buffer fills faster than that.
    #[inline(always)]
    pub fn submit(self) {
        let flags = wakeup(self.books);
        self.books.count(Counter::Submitted);
        self.entry.submit(flags);
    }

    /// Gives the room back; the fact is lost for the reason `counter` names.
    #[inline(always)]
    pub fn lose(self, counter: Counter) {
        self.books.count(counter);
        self.entry.discard(u64::from(BPF_RB_NO_WAKEUP));
    }
}

/// Whether to wake the reader, as flags.
#[inline(always)]
fn wakeup(books: Books) -> u64 {
    u64::from(
        if books.counted(Counter::Submitted).is_multiple_of(LOOK_EVERY)
            && EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) >= WAKEUP_BYTES.load()
        {
            BPF_RB_FORCE_WAKEUP
        } else {
            BPF_RB_NO_WAKEUP
        },
    )
}

/// Reports what lies in a buffer; says whether it fitted.
#[inline(always)]
pub fn bytes(from: *mut u8, length: u64) -> bool {
    let Some(books) = Books::of_this_cpu() else {
        return false;
    };
    books.count(Counter::Seen);
    let ring = (&raw const EVENTS).cast_mut().cast();
    // SAFETY: the verifier checks that so many bytes can be read, and that the map is a ring buffer.
    let failed = unsafe { bpf_ringbuf_output(ring, from.cast(), length, wakeup(books)) };
    books.count(if failed == 0 {
        Counter::Submitted
    } else {
        Counter::RingFull
    });
    failed == 0
}

/// Reports a change; says whether it fitted.
#[inline(always)]
pub fn change(change: Change) -> bool {
    let Some(mut pending) = Pending::<Change>::reserve() else {
        return false;
    };
    // SAFETY: the entry is exclusively ours, aligned to 8 bytes, and as long as a record.
    unsafe { pending.record().write(change) };
    pending.submit();
    true
}
