//! Any bytes as a record of a stack, as the files that say what its addresses mean, and as tables of programs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer::{
    ingest::stack::decode_stack,
    symbols::{cfi::Tables, go, maps::Maps, origin, perf_map},
};

fuzz_target!(|data: &[u8]| {
    let (head, rest) = data.split_at(data.len().min(8));
    let address = head.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    if let Ok(stack) = decode_stack(data) {
        assert!(!stack.frames.is_empty());
    }
    if let Some(mapping) = Maps::parse(rest).find(address) {
        assert!((mapping.start..mapping.end).contains(&address));
        assert!(mapping.name().len() <= mapping.path.len());
    }
    let names = perf_map::names(rest, &[address, 0x1000]);
    assert_eq!(names.len(), 2);
    for name in names.iter().flatten() {
        let (function, ..) = origin::compiled(name);
        assert!(function.len() <= name.len().max("(anonymous)".len()));
    }
    if let Some(place) = go::Table::new(rest, || Some(0)).and_then(|table| table.find(address)) {
        assert!(!place.function.is_empty());
    }
    let (index, frames) = rest.split_at(rest.len() / 2);
    for index in [None, Some((index, 0x1000))] {
        let tables = Tables {
            index,
            frames: (frames, 0x2000),
            text: 0x3000,
        };
        let _ = tables.linkage(address);
    }
});
