use super::builder::{self, Blob, every_kind};
use crate::btf::{Btf, BtfError, Kind, TypeId};

fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut blob = every_kind().build();
    blob[at..at + bytes.len()].copy_from_slice(bytes);
    blob
}

fn parse_error(blob: &[u8]) -> BtfError {
    Btf::parse(blob).unwrap_err()
}

#[test]
fn reads_every_kind() {
    let blob = every_kind().build();
    let btf = Btf::parse(&blob).unwrap();
    let kinds: Vec<Kind> = btf.types().map(|ty| ty.kind()).collect();
    assert_eq!(kinds.len(), btf.type_count());
    for number in 1..=19 {
        let kind = Kind::from_number(number);
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    let ids: Vec<u32> = btf.types().map(|ty| ty.id().0).collect();
    assert_eq!(
        ids,
        (1..=u32::try_from(btf.type_count()).unwrap()).collect::<Vec<_>>()
    );
    let first = btf.get(TypeId(1)).unwrap();
    assert_eq!(
        (btf.name(first.name_offset()), first.size()),
        (Ok("char"), Some(1))
    );
    assert!(btf.get(TypeId(0)).is_none());
    assert!(btf.get(TypeId(u32::MAX)).is_none());
}

#[test]
fn is_refused_when_truncated_anywhere() {
    let blob = every_kind().build();
    for len in 0..blob.len() {
        let error = parse_error(&blob[..len]);
        assert!(!error.to_string().is_empty(), "{len}");
    }
}

#[test]
fn is_refused_when_the_type_section_is_cut_anywhere_between_two_records() {
    let full = every_kind();
    let parsed = full.build();
    let all = Btf::parse(&parsed).unwrap().type_count();
    let mut whole_prefixes = 0;
    for len in 0..full.types.len() {
        let mut blob = full.clone();
        blob.types.truncate(len);
        match Btf::parse(&blob.build()) {
            Ok(btf) => {
                assert_eq!(btf.type_count(), whole_prefixes);
                whole_prefixes += 1;
            }
            Err(error) => assert!(matches!(error, BtfError::TruncatedType { .. }), "{len}: {error}"),
        }
    }
    assert_eq!(whole_prefixes, all);
}

#[test]
fn the_header_is_checked() {
    assert_eq!(parse_error(&[]), BtfError::TooShort { len: 0, needed: 24 });
    let swapped = 0xeb9f_u16.swap_bytes().to_ne_bytes();
    assert_eq!(parse_error(&patched(0, &swapped)), BtfError::ForeignEndian);
    let elf = u16::from_ne_bytes(*b"\x7fE");
    assert_eq!(
        parse_error(&patched(0, b"\x7fE")),
        BtfError::BadMagic { found: elf }
    );
    assert_eq!(
        parse_error(&patched(2, &[2])),
        BtfError::UnsupportedVersion { found: 2 }
    );
    for len in [0_u32, 23, u32::MAX] {
        assert!(matches!(
            parse_error(&patched(4, &len.to_ne_bytes())),
            BtfError::HeaderLength { .. }
        ));
    }
    for (at, section) in [(8, "type"), (12, "type"), (16, "string"), (20, "string")] {
        match parse_error(&patched(at, &u32::MAX.to_ne_bytes())) {
            BtfError::SectionOutOfRange { section: found, .. } => assert_eq!(found, section),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_longer_header_is_accepted() {
    let mut blob = every_kind().build();
    blob[4..8].copy_from_slice(&28_u32.to_ne_bytes());
    blob.splice(24..24, [1, 2, 3, 4]);
    assert!(Btf::parse(&blob).is_ok());
}

#[test]
fn strings_must_be_enclosed_in_nul_bytes() {
    for strings in [&b""[..], b"a\0", b"\0a"] {
        let mut blob = Blob::new();
        blob.strings = strings.to_vec();
        assert_eq!(parse_error(&blob.build()), BtfError::UnterminatedStrings);
    }
}

#[test]
fn names_are_checked_when_read() {
    let mut blob = Blob::new();
    blob.strings = b"\0good\0b\xffd\0".to_vec();
    let blob = blob.build();
    let btf = Btf::parse(&blob).unwrap();
    assert_eq!(btf.name(0), Ok(""));
    assert_eq!(btf.name(1), Ok("good"));
    assert_eq!(btf.name(3), Ok("od"));
    assert!(
        matches!(btf.name(6), Err(BtfError::NameNotUtf8 { offset: 6, source }) if source.valid_up_to() == 1)
    );
    assert_eq!(
        btf.name(10),
        Err(BtfError::NameOutOfRange { offset: 10, len: 10 })
    );
    assert!(btf.name_is(1, "good") && btf.name_is(0, ""));
    assert!(
        !btf.name_is(1, "goo") && !btf.name_is(1, "goods") && !btf.name_is(10, "") && !btf.name_is(11, "")
    );
}

#[test]
fn an_unknown_kind_is_named() {
    for kind in [0, 20, 31, 127] {
        let mut blob = Blob::new();
        blob.int("int", 4);
        blob.push("new", kind, 0, 0, &[]);
        let expected = BtfError::UnknownKind {
            id: 2,
            offset: 16,
            kind: u8::try_from(kind).unwrap(),
        };
        assert_eq!(parse_error(&blob.build()), expected);
        assert!(
            expected
                .to_string()
                .ends_with(&format!("has the unknown kind {kind}"))
        );
    }
}

#[test]
fn an_unknown_kind_is_skipped_if_the_layout_section_tells_its_length() {
    let mut blob = Blob::new();
    blob.push("new", 20, 2, 0, &[1, 2, 3]);
    blob.int("int", 4);
    let mut layout = [[0, 0]; 21];
    layout[20] = [4, 4];
    let bytes = blob.build_with_layout(Some(&layout));
    let btf = Btf::parse(&bytes).unwrap();
    let kinds: Vec<Kind> = btf.types().map(|ty| ty.kind()).collect();
    assert_eq!(kinds, [Kind::Other(20), Kind::Int]);
    // Known kinds are read the known way, and kind 0 is none, whatever the section says.
    let mut zero = Blob::new();
    zero.push("", 0, 0, 0, &[]);
    assert!(matches!(
        parse_error(&zero.build_with_layout(Some(&layout))),
        BtfError::UnknownKind { kind: 0, .. }
    ));
    assert!(matches!(
        parse_error(&blob.build_with_layout(Some(&layout[..20]))),
        BtfError::UnknownKind { kind: 20, .. }
    ));
}

#[test]
fn a_count_past_16_bits_is_read_whole() {
    // Wider since 2026; a reader of 16 bits would go on in the middle of this record.
    let many: Vec<(&str, TypeId, u32)> = vec![("", TypeId(1), 0); 0x1_0001];
    let mut blob = Blob::new();
    blob.int("int", 4);
    blob.structure("large", 4, &many);
    let bytes = blob.build();
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.type_count(), 2);
    assert_eq!(btf.get(TypeId(2)).unwrap().members().count(), many.len());
}

#[test]
fn a_huge_count_is_refused_before_anything_is_allocated_for_it() {
    let mut blob = Blob::new();
    blob.push("s", builder::STRUCT, 0x00ff_ffff, 4, &[]);
    let expected = BtfError::TruncatedType {
        id: 1,
        offset: 0,
        needed: 12 + 12 * 0x00ff_ffff,
        left: 12,
    };
    assert_eq!(parse_error(&blob.build()), expected);
}
