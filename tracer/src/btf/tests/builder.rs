//! Builds BTF blobs for tests, well-formed or not, after the layouts in btf.h.

use crate::btf::TypeId;

pub(super) const INT: u32 = 1;
pub(super) const PTR: u32 = 2;
pub(super) const ARRAY: u32 = 3;
pub(super) const STRUCT: u32 = 4;
pub(super) const UNION: u32 = 5;
pub(super) const ENUM: u32 = 6;
pub(super) const FWD: u32 = 7;
pub(super) const TYPEDEF: u32 = 8;
pub(super) const VOLATILE: u32 = 9;
pub(super) const CONST: u32 = 10;
pub(super) const RESTRICT: u32 = 11;
pub(super) const FUNC: u32 = 12;
pub(super) const FUNC_PROTO: u32 = 13;
pub(super) const VAR: u32 = 14;
pub(super) const DATASEC: u32 = 15;
pub(super) const FLOAT: u32 = 16;
pub(super) const DECL_TAG: u32 = 17;
pub(super) const TYPE_TAG: u32 = 18;
pub(super) const ENUM64: u32 = 19;

pub(super) const VOID: TypeId = TypeId(0);
/// Bit 31 of a record's `info`.
pub(super) const FLAG: u32 = 1 << 31;

/// A member as (name, type, offset word): the word is a bit offset, with a bitfield's width above bit 24.
pub(super) type Member<'s> = (&'s str, TypeId, u32);

/// A blob in the making.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) types: Vec<u8>,
    pub(super) strings: Vec<u8>,
    count: u32,
}

impl Blob {
    pub(super) fn new() -> Self {
        Self {
            types: Vec::new(),
            strings: vec![0],
            count: 0,
        }
    }

    pub(super) fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let offset = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        offset
    }

    /// The id that the next type will get, for references ahead.
    pub(super) fn next_id(&self, ahead: u32) -> TypeId {
        TypeId(self.count + 1 + ahead)
    }

    /// Appends a record; `info` is the kind, or-ed with [`FLAG`]; the vlen is given apart from it.
    pub(super) fn push(
        &mut self,
        name: &str,
        info: u32,
        vlen: u32,
        size_or_target: u32,
        tail: &[u32],
    ) -> TypeId {
        let name = self.name(name);
        let info = (info & FLAG) | (info & 0x7f) << 24 | vlen;
        for word in [name, info, size_or_target].iter().chain(tail) {
            self.types.extend_from_slice(&word.to_ne_bytes());
        }
        self.count += 1;
        TypeId(self.count)
    }

    pub(super) fn int(&mut self, name: &str, size: u32) -> TypeId {
        self.push(name, INT, 0, size, &[size * 8])
    }

    /// A record that refers to another type and has no tail.
    pub(super) fn refer(&mut self, kind: u32, name: &str, target: TypeId) -> TypeId {
        self.push(name, kind, 0, target.0, &[])
    }

    pub(super) fn array(&mut self, element: TypeId, count: u32) -> TypeId {
        self.push("", ARRAY, 0, 0, &[element.0, element.0, count])
    }

    /// A struct or union, depending on `info`.
    pub(super) fn composite(&mut self, info: u32, name: &str, size: u32, members: &[Member<'_>]) -> TypeId {
        let tail: Vec<u32> = members
            .iter()
            .flat_map(|&(name, ty, at)| [self.name(name), ty.0, at])
            .collect();
        self.push(name, info, u32::try_from(members.len()).unwrap(), size, &tail)
    }

    pub(super) fn structure(&mut self, name: &str, size: u32, members: &[Member<'_>]) -> TypeId {
        self.composite(STRUCT, name, size, members)
    }

    pub(super) fn union(&mut self, name: &str, size: u32, members: &[Member<'_>]) -> TypeId {
        self.composite(UNION, name, size, members)
    }

    pub(super) fn function(&mut self, name: &str, params: &[(&str, TypeId)]) -> TypeId {
        let tail: Vec<u32> = params
            .iter()
            .flat_map(|&(name, ty)| [self.name(name), ty.0])
            .collect();
        let proto = self.push("", FUNC_PROTO, u32::try_from(params.len()).unwrap(), 0, &tail);
        self.refer(FUNC, name, proto)
    }

    /// The whole blob: a header of 24 bytes, the types, the strings.
    pub(super) fn build(&self) -> Vec<u8> {
        self.build_with_layout(None)
    }

    /// Also a layout section, of `[info_sz, elem_sz]` for each kind from 0, which makes the header 32 bytes
    /// long.
    pub(super) fn build_with_layout(&self, layout: Option<&[[u8; 2]]>) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let entries: Vec<u8> = layout
            .unwrap_or_default()
            .iter()
            .flat_map(|&[a, b]| [a, b, 0, 0])
            .collect();
        let (types, strings) = (length(&self.types), length(&self.strings));
        let mut words = vec![24, 0, types, types, strings];
        if layout.is_some() {
            words[0] = 32;
            words.extend([types + strings, length(&entries)]);
        }
        let mut blob = 0xeb9f_u16.to_ne_bytes().to_vec();
        blob.extend([1, 0]);
        blob.extend(words.iter().flat_map(|word: &u32| word.to_ne_bytes()));
        blob.extend([&self.types, &self.strings, &entries].into_iter().flatten());
        blob
    }
}

/// A blob with a record of every kind, and structs like the kernel's.
pub(super) fn every_kind() -> Blob {
    let mut blob = Blob::new();
    let byte = blob.int("char", 1);
    let half = blob.int("unsigned short", 2);
    let word = blob.int("unsigned int", 4);
    let long = blob.int("long long unsigned int", 8);
    blob.push("state", ENUM, 1, 4, &[0, 7]);
    blob.push("big", ENUM64, 1, 8, &[0, 1, 2]);
    blob.push("double", FLOAT, 0, 8, &[]);
    blob.push("opaque", FWD, 0, 0, &[]);
    blob.refer(VOLATILE, "", long);
    blob.refer(RESTRICT, "", long);
    let tag = blob.refer(TYPE_TAG, "rcu", word);
    let be16 = blob.refer(TYPEDEF, "__be16", half);
    let constant = blob.refer(CONST, "", be16);
    let name = blob.array(byte, 16);
    let pair = blob.structure("", 4, &[("skc_dport", constant, 0), ("skc_num", half, 16)]);
    let ports = blob.union("", 4, &[("skc_portpair", word, 0), ("", pair, 0)]);
    let common = blob.structure(
        "sock_common",
        24,
        &[("", ports, 0), ("skc_name", name, 64), ("tag", tag, 32)],
    );
    let pointer = blob.refer(PTR, "", blob.next_id(1));
    let sock_members = [
        ("__sk_common", common, 0),
        ("sk_flag", word, (1 << 24) + 192),
        ("sk_rest", word, (7 << 24) + 193),
        ("sk_next", pointer, 256),
    ];
    let sock = blob.composite(STRUCT | FLAG, "sock", 40, &sock_members);
    let variable = blob.push("counter", VAR, 0, word.0, &[1]);
    blob.push(".data", DATASEC, 1, 4, &[variable.0, 0, 4]);
    blob.push("kfunc", DECL_TAG, 0, sock.0, &[u32::MAX]);
    blob.function("inet_csk_accept", &[("sk", pointer), ("flags", word)]);
    blob
}
