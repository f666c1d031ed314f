//! Tables made by hand; real ones are looked up by the kernel test `stacks_go_stripped`.

use proptest::prelude::*;

use super::*;

const TEXT: u64 = 0x40_1000;

/// Two functions: `main.main` of 0x20 bytes in `main.go`, and `main.leak` of 0x40, in whose middle code of `lib.go` was
/// inlined.
fn table(magic: u32, text_start: u64) -> Vec<u8> {
    let names = b"\0main.main\0main.leak\0";
    let files = b"main.go\0lib.go\0";
    let units: Vec<u8> = [0_u32, 8].iter().flat_map(|at| at.to_le_bytes()).collect();
    // Files: 0 all along; and 0, 1, 0. Lines: 10 all along; 20 for 0x10 bytes, then 7 for 0x10, then 25.
    let mut steps = vec![0];
    let mut list = |changes: &[(i32, u8)]| {
        let at = u32::try_from(steps.len()).unwrap();
        for (change, length) in changes {
            let change = ((change << 1) ^ (change >> 31)).cast_unsigned();
            assert!(change < 0x80);
            steps.extend([u8::try_from(change).unwrap(), *length]);
        }
        steps.push(0);
        at
    };
    let of_main = (list(&[(1, 0x20)]), list(&[(11, 0x20)]));
    let of_leak = (
        list(&[(1, 0x10), (1, 0x10), (-1, 0x20)]),
        list(&[(21, 0x10), (-13, 0x10), (18, 0x20)]),
    );
    let wide = magic == 0xffff_fffa;
    let cell = |value: u64, out: &mut Vec<u8>| {
        let bytes = value.to_le_bytes();
        out.extend(if wide { &bytes[..] } else { &bytes[..4] });
    };
    let base = if wide { TEXT } else { 0 };
    let size = if wide { 8 } else { 4 };
    let (mut index, mut functions) = (Vec::new(), Vec::new());
    for (entry, name, (file, line)) in [(0, 1_u32, of_main), (0x20, 11, of_leak)] {
        cell(base + entry, &mut index);
        cell((5 * size + functions.len()) as u64, &mut index);
        cell(base + entry, &mut functions);
        for field in [name, 0, 0, 0, file, line, 0, 0] {
            functions.extend(field.to_le_bytes());
        }
    }
    cell(base + 0x60, &mut index);
    index.extend(functions);
    let parts = [&names[..], &units, files, &steps, &index];
    let mut header = [&magic.to_le_bytes()[..], &[0, 0, 1, 8]].concat();
    let words = if wide { 7 } else { 8 };
    let mut at = 8 + words * 8;
    let mut values = vec![2, 2];
    values.extend((!wide).then_some(text_start));
    for part in &parts {
        values.push(at as u64);
        at += part.len();
    }
    header.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    [header, parts.concat()].concat()
}

fn place(function: &str, line: u32) -> Place {
    Place {
        function: function.to_owned(),
        file: Some("main.go".to_owned()),
        line: NonZeroU32::new(line),
    }
}

#[test]
fn functions_files_and_lines_are_found_in_every_version() {
    for magic in [0xffff_fffa, 0xffff_fff0, 0xffff_fff1] {
        let bytes = table(magic, TEXT);
        let table = Table::new(&bytes, || None).unwrap();
        assert_eq!(table.find(TEXT - 1), None);
        assert_eq!(table.find(TEXT), Some(place("main.main", 10)));
        assert_eq!(table.find(TEXT + 0x1f), Some(place("main.main", 10)));
        assert_eq!(table.find(TEXT + 0x2f), Some(place("main.leak", 20)));
        assert_eq!(
            table.find(TEXT + 0x30),
            Some(place("main.leak", 0)),
            "inlined from another file"
        );
        assert_eq!(table.find(TEXT + 0x5f), Some(place("main.leak", 25)));
        assert_eq!(table.find(TEXT + 0x60), None);
    }
}

#[test]
fn where_the_code_begins_may_be_told_elsewhere() {
    let bytes = table(0xffff_fff1, 0);
    assert!(Table::new(&bytes, || None).is_none());
    let table = Table::new(&bytes, || Some(TEXT)).unwrap();
    assert_eq!(table.find(TEXT + 0x20), Some(place("main.leak", 20)));
}

#[test]
fn a_table_is_found_among_other_data() {
    let table = table(0xffff_fff1, 0);
    let mut bytes = vec![0xff; 64 + 7];
    bytes.extend([0, 0, 1, 8]);
    bytes.resize(160, 0);
    assert_eq!(begins_at(&bytes), None);
    bytes.extend(&table);
    assert_eq!(begins_at(&bytes), Some(160));
    bytes.insert(0, 0);
    assert_eq!(begins_at(&bytes), None, "not aligned");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), address: u64) {
        let _: Option<usize> = begins_at(&bytes);
        if let Some(table) = Table::new(&bytes, || Some(0)) {
            let _: Option<Place> = table.find(address);
        }
    }

    #[test]
    fn any_damage_is_survived(
        wide: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length: prop::sample::Index,
    ) {
        let mut bytes = table(if wide { 0xffff_fffa } else { 0xffff_fff1 }, TEXT);
        let whole = bytes.len();
        for (at, byte) in damage {
            bytes[at.index(whole)] = byte;
        }
        bytes.truncate(whole.saturating_sub(length.index(20)));
        for address in TEXT..TEXT + 0x60 {
            let _: Option<Place> = Table::new(&bytes, || Some(TEXT)).and_then(|table| table.find(address));
        }
    }
}
