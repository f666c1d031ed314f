//! Walks from a struct down to one of its members.

use super::kind::Kind;
use super::raw::{Btf, RawMember, Type, TypeId};
use super::resolve::Member;

/// Size of a pointer on every kernel that this tool runs on. BTF does not state it.
const POINTER_SIZE: u64 = 8;
/// How many typedefs, qualifiers and arrays may follow each other, and how deep anonymous structs may be
/// nested. The kernel's own checks stop at this depth as well (`MAX_RESOLVE_DEPTH` of kernel/bpf/btf.c).
const MAX_DEPTH: u32 = 32;
/// How many members one lookup may look at. The largest structs of a kernel have a few hundred.
const MAX_STEPS: u32 = 1 << 16;

/// Why a member cannot be resolved. [`super::ResolveError`] has the same reasons with names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NoMember,
    Bitfield,
    NotAStruct(&'static str),
    NoSize,
    OutsideStruct,
    TypeLoop,
    TooComplex,
}

/// One lookup, which ends after a bounded number of steps even if every type refers to every other.
pub(super) struct Search<'b, 'a> {
    btf: &'b Btf<'a>,
    steps_left: u32,
}

/// A member found by its name.
struct Found {
    member: RawMember,
    /// From the start of the struct that was searched, through anonymous structs.
    bit_offset: u64,
}

impl<'b, 'a> Search<'b, 'a> {
    pub(super) fn new(btf: &'b Btf<'a>) -> Self {
        Self {
            btf,
            steps_left: MAX_STEPS,
        }
    }

    /// Follows a dotted path from a struct. A fault comes with the part of the path up to where it happened.
    pub(super) fn follow<'p>(&mut self, root: Type<'a>, path: &'p str) -> Result<Member, (Fault, &'p str)> {
        let mut parent = root;
        let mut offset = 0;
        let mut ends = path
            .match_indices('.')
            .map(|(end, _)| end)
            .chain([path.len()])
            .peekable();
        let mut start = 0;
        while let Some(end) = ends.next() {
            let reached = path.get(..end).unwrap_or(path);
            let at = |fault| (fault, reached);
            let found = self
                .find(parent, reached.get(start..).unwrap_or_default())
                .map_err(at)?;
            let (inner, size) = self.place(parent, &found).map_err(at)?;
            // Every struct contains its member, so the sum stays below the size of the outermost one.
            offset += inner;
            if ends.peek().is_none() {
                let too_far = |_| at(Fault::OutsideStruct);
                let offset = u32::try_from(offset).map_err(too_far)?;
                return Ok(Member {
                    offset,
                    size: u32::try_from(size).map_err(too_far)?,
                });
            }
            parent = composite(self.btf, found.member.type_id).map_err(at)?;
            start = end + 1;
        }
        Err((Fault::NoMember, path))
    }

    /// Finds a member by name, in the struct itself and in its anonymous structs and unions.
    fn find(&mut self, parent: Type<'a>, name: &str) -> Result<Found, Fault> {
        let mut pending = vec![(parent, 0, 0)];
        while let Some((ty, base, depth)) = pending.pop() {
            self.step()?;
            for member in ty.members() {
                self.step()?;
                let bit_offset = base + member.bit_offset;
                if self.btf.name_is(member.name_offset, name) {
                    return Ok(Found { member, bit_offset });
                }
                if !self.btf.name_is(member.name_offset, "") {
                    continue;
                }
                if let Some(nested) = strip_modifiers(self.btf, member.type_id)?.filter(Type::is_composite) {
                    if depth == MAX_DEPTH {
                        return Err(Fault::TypeLoop);
                    }
                    pending.push((nested, bit_offset, depth + 1));
                }
            }
        }
        Err(Fault::NoMember)
    }

    /// Byte offset and size of a member, checked to lie within the struct that was searched.
    fn place(&self, parent: Type<'a>, found: &Found) -> Result<(u64, u64), Fault> {
        if found.member.bitfield_width != 0 || !found.bit_offset.is_multiple_of(8) {
            return Err(Fault::Bitfield);
        }
        // Older compilers describe a bitfield by an integer type with fewer bits than its size (btf.rst).
        if let Some(ty) = strip_modifiers(self.btf, found.member.type_id)?
            && let (Some(bits), Some(size)) = (ty.int_bits(), ty.size())
            && u64::from(bits) != 8 * u64::from(size)
        {
            return Err(Fault::Bitfield);
        }
        let offset = found.bit_offset / 8;
        let size = size_of(self.btf, found.member.type_id)?;
        let end = offset.checked_add(size).ok_or(Fault::OutsideStruct)?;
        if end > parent.size().map_or(0, u64::from) {
            return Err(Fault::OutsideStruct);
        }
        Ok((offset, size))
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(Fault::TooComplex)?;
        Ok(())
    }
}

/// The type behind typedefs, qualifiers and type tags; `None` for `void` and for an id that does not exist.
pub(super) fn strip_modifiers<'a>(btf: &Btf<'a>, mut id: TypeId) -> Result<Option<Type<'a>>, Fault> {
    for _ in 0..=MAX_DEPTH {
        let ty = btf.get(id);
        match ty.as_ref().and_then(modified) {
            Some(next) => id = next,
            None => return Ok(ty),
        }
    }
    Err(Fault::TypeLoop)
}

/// What a typedef, qualifier or type tag refers to; `None` for other kinds.
fn modified(ty: &Type<'_>) -> Option<TypeId> {
    match ty.kind() {
        Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => ty.target(),
        _ => None,
    }
}

fn composite<'a>(btf: &Btf<'a>, id: TypeId) -> Result<Type<'a>, Fault> {
    match strip_modifiers(btf, id)? {
        Some(ty) if ty.is_composite() => Ok(ty),
        Some(ty) => Err(Fault::NotAStruct(ty.kind().describe())),
        None => Err(Fault::NoSize),
    }
}

/// Size in bytes of a type that a member can have.
fn size_of(btf: &Btf<'_>, mut id: TypeId) -> Result<u64, Fault> {
    let mut elements: u64 = 1;
    for _ in 0..=MAX_DEPTH {
        let ty = btf.get(id).ok_or(Fault::NoSize)?;
        let unit = if let Some(next) = modified(&ty) {
            id = next;
            continue;
        } else if let Some((element, count)) = ty.array() {
            elements = elements
                .checked_mul(u64::from(count))
                .ok_or(Fault::OutsideStruct)?;
            id = element;
            continue;
        } else if ty.kind() == Kind::Ptr {
            POINTER_SIZE
        } else if ty.kind() == Kind::Datasec {
            return Err(Fault::NoSize);
        } else {
            ty.size().map(u64::from).ok_or(Fault::NoSize)?
        };
        return elements.checked_mul(unit).ok_or(Fault::OutsideStruct);
    }
    Err(Fault::TypeLoop)
}
