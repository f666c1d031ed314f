//! A bounds-checked view of BTF data: header, type records and names, without copying any of them.

use super::error::BtfError;
use super::header::Header;
use super::kind::{Kind, Tail};

/// Length of `struct btf_type`, the part that all records begin with.
const TYPE_LEN: usize = 12;
/// Length of `struct btf_layout`.
const LAYOUT_LEN: usize = 4;

/// Id of a type: its position in the type section, counted from 1. 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// BTF data whose header and type records have been checked.
#[derive(Debug, Clone)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where the record of type `index + 1` starts in `types`.
    offsets: Vec<u32>,
}

impl<'a> Btf<'a> {
    /// Checks the header and walks once over all type records.
    ///
    /// Afterwards every record is known to lie within the type section. Names and references between types
    /// are checked where they are used.
    ///
    /// # Errors
    ///
    /// The first thing found that is not well-formed, see [`BtfError`].
    pub fn parse(data: &'a [u8]) -> Result<Self, BtfError> {
        let header = Header::parse(data)?;
        let types = header.types.of(data)?;
        let strings = header.strings.of(data)?;
        let layout = header.layout.of(data)?;
        // btf.rst: the string section starts with the empty string. A NUL at the end terminates every string
        // in it.
        if strings.first() != Some(&0) || strings.last() != Some(&0) {
            return Err(BtfError::UnterminatedStrings);
        }
        Ok(Self {
            types,
            strings,
            offsets: index_types(types, layout)?,
        })
    }

    /// How many types there are, `void` not counted.
    pub fn type_count(&self) -> usize {
        self.offsets.len()
    }

    /// The type with this id; `None` for 0 (`void`) and for ids past the last type.
    pub fn get(&self, id: TypeId) -> Option<Type<'a>> {
        let index = usize::try_from(id.0.checked_sub(1)?).ok()?;
        self.read(id, *self.offsets.get(index)?)
    }

    /// All types in the order of their ids.
    pub fn types(&self) -> impl Iterator<Item = Type<'a>> {
        (1..)
            .zip(&self.offsets)
            .filter_map(|(id, &offset)| self.read(TypeId(id), offset))
    }

    /// The name at this offset of the string section; the empty string for things without a name.
    ///
    /// # Errors
    ///
    /// [`BtfError::NameOutOfRange`] or [`BtfError::NameNotUtf8`].
    pub fn name(&self, offset: u32) -> Result<&'a str, BtfError> {
        let bytes = self.name_bytes(offset).ok_or(BtfError::NameOutOfRange {
            offset,
            len: self.strings.len(),
        })?;
        core::str::from_utf8(bytes).map_err(|source| BtfError::NameNotUtf8 { offset, source })
    }

    /// Whether the name at this offset is `wanted`; a name that cannot be read is not.
    pub fn name_is(&self, offset: u32, wanted: &str) -> bool {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.strip_prefix(wanted.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }

    fn name_bytes(&self, offset: u32) -> Option<&'a [u8]> {
        let rest = self.strings.get(offset as usize..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        rest.get(..end)
    }

    fn read(&self, id: TypeId, offset: u32) -> Option<Type<'a>> {
        let record = self.types.get(offset as usize..)?;
        let info = Info::read(record)?;
        let kind = Kind::from_number(info.kind);
        let tail_len = kind.tail().map_or(0, |tail| tail.len(info.vlen));
        let tail = record.get(TYPE_LEN..)?.get(..usize::try_from(tail_len).ok()?)?;
        Some(Type {
            id,
            kind,
            flag: info.flag,
            name_offset: u32_at(record, 0)?,
            size_or_target: u32_at(record, 8)?,
            tail,
        })
    }
}

/// One type record.
#[derive(Debug, Clone, Copy)]
pub struct Type<'a> {
    id: TypeId,
    kind: Kind,
    flag: bool,
    name_offset: u32,
    size_or_target: u32,
    tail: &'a [u8],
}

impl<'a> Type<'a> {
    /// The type's id.
    pub fn id(&self) -> TypeId {
        self.id
    }

    /// The type's kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where the type's name starts in the string section; 0 for a type without a name.
    pub fn name_offset(&self) -> u32 {
        self.name_offset
    }

    /// Whether this is a definition of a struct or union, with its members.
    pub fn is_composite(&self) -> bool {
        matches!(self.kind, Kind::Struct | Kind::Union)
    }

    /// Size in bytes, for the kinds whose record states it (btf.h, comment on `struct btf_type`).
    pub fn size(&self) -> Option<u32> {
        match self.kind {
            Kind::Int
            | Kind::Enum
            | Kind::Enum64
            | Kind::Float
            | Kind::Struct
            | Kind::Union
            | Kind::Datasec => Some(self.size_or_target),
            _ => None,
        }
    }

    /// The type that this one refers to, for the kinds whose record states it (btf.h, comment on `struct
    /// btf_type`): the pointed-to, aliased or qualified type, a function's prototype, a prototype's result.
    pub fn target(&self) -> Option<TypeId> {
        match self.kind {
            Kind::Ptr
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Func
            | Kind::FuncProto
            | Kind::Var
            | Kind::DeclTag
            | Kind::TypeTag => Some(TypeId(self.size_or_target)),
            _ => None,
        }
    }

    /// Element type and number of elements of an array (`struct btf_array` of btf.h).
    pub fn array(&self) -> Option<(TypeId, u32)> {
        if self.kind != Kind::Array {
            return None;
        }
        Some((TypeId(u32_at(self.tail, 0)?), u32_at(self.tail, 8)?))
    }

    /// How many bits an integer really has, which is fewer than its size for an old-style bitfield
    /// (`BTF_INT_BITS` of btf.h).
    pub fn int_bits(&self) -> Option<u32> {
        if self.kind != Kind::Int {
            return None;
        }
        u32_at(self.tail, 0).map(|encoding| encoding & 0xff)
    }

    /// Members of a struct or union (`struct btf_member` of btf.h); nothing for other kinds.
    pub fn members(&self) -> impl Iterator<Item = RawMember> + use<'a> {
        let tail = if self.is_composite() { self.tail } else { &[] };
        // Bits 24 to 31 hold a bitfield's width if the struct's flag is set, and belong to the offset
        // otherwise.
        let offset_bits = if self.flag { 24 } else { 32 };
        tail.chunks_exact(12).filter_map(move |record| {
            let offset = u64::from(u32_at(record, 8)?);
            Some(RawMember {
                name_offset: u32_at(record, 0)?,
                type_id: TypeId(u32_at(record, 4)?),
                bit_offset: offset & ((1 << offset_bits) - 1),
                bitfield_width: offset >> offset_bits,
            })
        })
    }

    /// Parameters of a function prototype (`struct btf_param` of btf.h); nothing for other kinds.
    pub fn params(&self) -> impl Iterator<Item = RawParam> + use<'a> {
        let tail = if self.kind == Kind::FuncProto {
            self.tail
        } else {
            &[]
        };
        tail.chunks_exact(8).filter_map(|record| {
            Some(RawParam {
                name_offset: u32_at(record, 0)?,
                type_id: TypeId(u32_at(record, 4)?),
            })
        })
    }
}

/// One member of a struct or union as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawMember {
    /// Where its name starts in the string section; 0 for an anonymous struct or union.
    pub name_offset: u32,
    /// Its type.
    pub type_id: TypeId,
    /// Where it starts, in bits from the start of the struct.
    pub bit_offset: u64,
    /// Width in bits if it is a bitfield, else 0.
    pub bitfield_width: u64,
}

/// One parameter of a function prototype as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawParam {
    /// Where its name starts in the string section; 0 if it has none.
    pub name_offset: u32,
    /// Its type; 0 together with no name marks the `...` of a variadic function (btf.rst).
    pub type_id: TypeId,
}

/// Finds where each type record starts.
fn index_types(types: &[u8], layout: &[u8]) -> Result<Vec<u32>, BtfError> {
    // An average record of a kernel takes 25 bytes, so this seldom grows, and it never exceeds the data's own
    // size.
    let mut offsets = Vec::with_capacity(types.len() / 24);
    let mut at = 0;
    let mut id = 1;
    while let Some(record) = types.get(at..).filter(|record| !record.is_empty()) {
        let truncated = |needed| BtfError::TruncatedType {
            id,
            offset: at,
            needed,
            left: record.len(),
        };
        let info = Info::read(record).ok_or_else(|| truncated(TYPE_LEN as u64))?;
        let tail = Kind::from_number(info.kind)
            .tail()
            .or_else(|| announced_tail(layout, info.kind))
            .ok_or(BtfError::UnknownKind {
                id,
                offset: at,
                kind: info.kind,
            })?;
        let needed = TYPE_LEN as u64 + tail.len(info.vlen);
        let len = usize::try_from(needed)
            .ok()
            .filter(|&len| len <= record.len())
            .ok_or_else(|| truncated(needed))?;
        // The section's length is a `u32`, so an offset into it always fits.
        offsets.push(u32::try_from(at).map_err(|_| truncated(needed))?);
        at += len;
        id += 1;
    }
    Ok(offsets)
}

/// Record length of a kind that this reader does not know, from the data's layout section (`struct
/// btf_layout` of btf.h: `info_sz`, `elem_sz`, `flags`, indexed by kind). 0 is no kind, whatever the section
/// says.
fn announced_tail(layout: &[u8], kind: u8) -> Option<Tail> {
    let entry = layout
        .chunks_exact(LAYOUT_LEN)
        .nth(usize::from(kind))
        .filter(|_| kind != 0)?;
    Some(Tail {
        fixed: *entry.first()?,
        each: *entry.get(1)?,
    })
}

/// The `info` word of a record: `vlen`, kind and flag.
///
/// Until 2026 btf.h gave `vlen` 16 bits and the kind 5, with the bits between them required to be zero; since
/// then they are 24 and 7 bits wide. Reading the wider fields is right for both.
struct Info {
    vlen: u32,
    kind: u8,
    flag: bool,
}

impl Info {
    /// From a record that has at least its common part.
    fn read(record: &[u8]) -> Option<Self> {
        let common: &[u8; TYPE_LEN] = record.first_chunk()?;
        let info = u32_at(common, 4)?;
        let [_, _, _, kind] = (info & 0x7f00_0000).to_le_bytes();
        Some(Self {
            vlen: info & 0x00ff_ffff,
            kind,
            flag: info >> 31 == 1,
        })
    }
}

/// The native-endian number at this offset.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_ne_bytes(*bytes))
}
