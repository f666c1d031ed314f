//! The books of the way from the kernel, by the names of their counts.

use crate::output::record::Books;

/// The counts of the books.
const COUNT: usize = 21;

/// Every count, and its name.
pub fn by_name(books: &mut Books) -> [(&'static str, &mut u64); COUNT] {
    let Books {
        seen,
        submitted,
        ring_full,
        map_full,
        unreadable,
        program_misses,
        probe_misses,
        received,
        decoded,
        rejected,
        simulated,
        untracked,
        elsewhere,
        unlisted,
        overflowed,
        unobserved_ends,
        unknown_closes,
        stack_table_full,
        no_user_stack,
        orphans,
        duplicates,
    } = books;
    [
        ("seen", seen),
        ("submitted", submitted),
        ("ring_full", ring_full),
        ("map_full", map_full),
        ("unreadable", unreadable),
        ("program_misses", program_misses),
        ("probe_misses", probe_misses),
        ("received", received),
        ("decoded", decoded),
        ("rejected", rejected),
        ("simulated", simulated),
        ("untracked", untracked),
        ("elsewhere", elsewhere),
        ("unlisted", unlisted),
        ("overflowed", overflowed),
        ("unobserved_ends", unobserved_ends),
        ("unknown_closes", unknown_closes),
        ("stack_table_full", stack_table_full),
        ("no_user_stack", no_user_stack),
        ("orphans", orphans),
        ("duplicates", duplicates),
    ]
}
