use proptest::collection::vec;
use proptest::prelude::*;

use super::builder::{self, Blob, every_kind};
use crate::btf::{Btf, FieldSpec, TypeId, function_param_type_name, function_params, resolve_all};

const SPECS: [FieldSpec<'static>; 6] = [
    FieldSpec::new("sock_common", "skc_dport"),
    FieldSpec::new("sock_common", "absent"),
    FieldSpec::new("sock", "__sk_common.skc_num"),
    FieldSpec::new("sock", "sk_flag"),
    FieldSpec::new("sock", "sk_next.x"),
    FieldSpec::new("opaque", "x"),
];

/// Does everything that can be done with a blob; the assertions hold for any bytes.
fn exercise(bytes: &[u8]) {
    let btf = match Btf::parse(bytes) {
        Ok(btf) => btf,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(btf.type_count() <= bytes.len() / 12);
    assert_eq!(btf.types().count(), btf.type_count());
    for ty in btf.types() {
        let _ = (
            btf.name(ty.name_offset()),
            ty.size(),
            ty.target(),
            ty.array(),
            ty.int_bits(),
        );
        for member in ty.members() {
            let _ = (btf.name(member.name_offset), btf.get(member.type_id));
        }
        for param in ty.params() {
            let _ = (btf.name(param.name_offset), btf.get(param.type_id));
        }
    }
    let _ = btf.get(TypeId(u32::try_from(btf.type_count()).unwrap() + 1));
    for (spec, result) in SPECS.iter().zip(resolve_all(&btf, &SPECS)) {
        if let Err(error) = result {
            assert!(error.to_string().contains(spec.structure));
        }
    }
    for function in ["inet_csk_accept", "absent"] {
        if let Some(count) = function_params(&btf, function) {
            assert_eq!(function_param_type_name(&btf, function, count), None);
        }
        let _ = function_param_type_name(&btf, function, 0);
    }
}

/// Where each name in [`STRINGS`] starts.
const NAMES: [u32; 6] = [0, 1, 13, 18, 28, 40];
const STRINGS: &[u8] = b"\0sock_common\0sock\0skc_dport\0__sk_common\0inet_csk_accept\0";

/// A record of a proper length whose contents are anything that makes types refer to each other.
fn record() -> impl Strategy<Value = Vec<u32>> {
    let kind = prop_oneof![4 => builder::STRUCT..=builder::UNION, 1 => 1..20_u32];
    let word = || prop_oneof![8 => 0..12_u32, 4 => prop::sample::select(&NAMES[..]), 1 => any::<u32>()];
    (
        kind,
        0..4_u32,
        any::<bool>(),
        prop::sample::select(&NAMES[..]),
        vec(word(), 13),
    )
        .prop_map(|(kind, vlen, flag, name, words)| {
            let tail = match kind {
                builder::INT | builder::VAR | builder::DECL_TAG => 1,
                builder::ARRAY => 3,
                builder::STRUCT | builder::UNION | builder::DATASEC | builder::ENUM64 => 3 * vlen,
                builder::ENUM | builder::FUNC_PROTO => 2 * vlen,
                _ => 0,
            };
            let info = kind << 24 | vlen | u32::from(flag) << 31;
            [name, info]
                .into_iter()
                .chain(words.into_iter().take(1 + tail as usize))
                .collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..512)) {
        exercise(&bytes);
    }

    #[test]
    fn random_types_never_panic(records in vec(record(), 0..24)) {
        let mut blob = Blob::new();
        blob.strings = STRINGS.to_vec();
        blob.types = records.iter().flatten().flat_map(|word| word.to_ne_bytes()).collect();
        let bytes = blob.build();
        assert_eq!(Btf::parse(&bytes).unwrap().type_count(), records.len());
        exercise(&bytes);
    }

    #[test]
    fn changed_bytes_never_panic(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = every_kind().build();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        exercise(&bytes);
    }

    #[test]
    fn changed_words_never_panic(
        changes in vec((any::<prop::sample::Index>(), 0..48_u32), 1..12),
    ) {
        let mut blob = every_kind();
        for (at, value) in changes {
            let at = at.index(blob.types.len() / 4) * 4;
            blob.types[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        exercise(&blob.build());
    }
}
