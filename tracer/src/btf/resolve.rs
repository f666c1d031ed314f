//! Finds out where in a struct a member lies and how long it is.

use super::error::ResolveError;
use super::kind::Kind;
use super::raw::{Btf, TypeId};
use super::search::{Fault, Search};

/// What to look up: a struct and the path to one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldSpec<'s> {
    /// Name of the struct or union, without the keyword.
    pub structure: &'s str,
    /// The member's name, or several joined by dots to reach into named members (`ns.inum`). Anonymous
    /// structs and unions are descended into without being named, as in C.
    pub path: &'s str,
}

impl<'s> FieldSpec<'s> {
    /// The member at `path` of `structure`.
    pub const fn new(structure: &'s str, path: &'s str) -> Self {
        Self { structure, path }
    }
}

/// Where a member lies in its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Member {
    /// Bytes from the start of the struct that was asked for.
    pub offset: u32,
    /// Length in bytes; 0 for a flexible array.
    pub size: u32,
}

/// Resolves one member; see [`resolve_all`], which is the cheaper way to resolve several.
///
/// # Errors
///
/// See [`ResolveError`].
pub fn resolve_member(btf: &Btf<'_>, structure: &str, path: &str) -> Result<Member, ResolveError> {
    let spec = FieldSpec::new(structure, path);
    let found = Definitions::collect(btf, &[spec]);
    resolve_in(btf, spec, found.get(structure))
}

/// Resolves several members, going over all types only once. The results are in the order of `specs`.
///
/// A struct's declaration without members never counts. Of several definitions with the same name, those that
/// have the member must agree on where it is: a kernel has a few unrelated structs that share a name, and a
/// wrong offset would be silently wrong data.
pub fn resolve_all(btf: &Btf<'_>, specs: &[FieldSpec<'_>]) -> Vec<Result<Member, ResolveError>> {
    let found = Definitions::collect(btf, specs);
    specs
        .iter()
        .map(|&spec| resolve_in(btf, spec, found.get(spec.structure)))
        .collect()
}

/// The definitions of one struct name.
#[derive(Debug, Default)]
struct Definitions {
    ids: Vec<TypeId>,
    declared: bool,
}

impl Definitions {
    fn collect<'s>(btf: &Btf<'_>, specs: &[FieldSpec<'s>]) -> DefinitionsByName<'s> {
        let mut by_name: Vec<(&str, Self)> = Vec::new();
        for spec in specs {
            if !by_name.iter().any(|(name, _)| *name == spec.structure) {
                by_name.push((spec.structure, Self::default()));
            }
        }
        for ty in btf
            .types()
            .filter(|ty| ty.is_composite() || ty.kind() == Kind::Fwd)
        {
            let name = |(name, _): &&mut (&str, Self)| btf.name_is(ty.name_offset(), name);
            if let Some((_, definitions)) = by_name.iter_mut().find(name) {
                if ty.is_composite() {
                    definitions.ids.push(ty.id());
                } else {
                    definitions.declared = true;
                }
            }
        }
        DefinitionsByName(by_name)
    }
}

struct DefinitionsByName<'s>(Vec<(&'s str, Definitions)>);

impl DefinitionsByName<'_> {
    fn get(&self, structure: &str) -> Option<&Definitions> {
        self.0
            .iter()
            .find(|(name, _)| *name == structure)
            .map(|(_, definitions)| definitions)
    }
}

fn resolve_in(
    btf: &Btf<'_>,
    spec: FieldSpec<'_>,
    definitions: Option<&Definitions>,
) -> Result<Member, ResolveError> {
    let structure = || spec.structure.to_owned();
    let unusable = |name: &str| name.is_empty() || name.contains('\0');
    if unusable(spec.structure) || spec.path.split('.').any(unusable) {
        return Err(ResolveError::InvalidPath {
            structure: structure(),
            path: spec.path.to_owned(),
        });
    }
    let (ids, declared) = definitions.map_or((&[][..], false), |found| (&found.ids, found.declared));
    let mut search = Search::new(btf);
    let mut found = None;
    let mut missing = None;
    for root in ids.iter().filter_map(|&id| btf.get(id)) {
        match search.follow(root, spec.path) {
            Ok(second) => match found {
                None => found = Some(second),
                Some(first) if first == second => {}
                Some(first) => {
                    let member = spec.path.to_owned();
                    return Err(ResolveError::Ambiguous {
                        structure: structure(),
                        member,
                        first,
                        second,
                    });
                }
            },
            Err((Fault::NoMember, reached)) => missing = missing.or(Some(reached)),
            // This definition has the member, or may have it: another one must not silently win.
            Err((fault, reached)) => return Err(describe(fault, spec.structure, reached)),
        }
    }
    found.ok_or_else(|| match missing {
        Some(reached) => describe(Fault::NoMember, spec.structure, reached),
        None if declared => ResolveError::OnlyDeclared {
            structure: structure(),
        },
        None => ResolveError::NoStruct {
            structure: structure(),
        },
    })
}

fn describe(fault: Fault, structure: &str, member: &str) -> ResolveError {
    let (structure, member) = (structure.to_owned(), member.to_owned());
    match fault {
        Fault::NoMember => ResolveError::NoMember { structure, member },
        Fault::Bitfield => ResolveError::Bitfield { structure, member },
        Fault::NotAStruct(kind) => ResolveError::NotAStruct {
            structure,
            member,
            kind,
        },
        Fault::NoSize => ResolveError::NoSize { structure, member },
        Fault::OutsideStruct => ResolveError::OutsideStruct { structure, member },
        Fault::TypeLoop => ResolveError::TypeLoop { structure, member },
        Fault::TooComplex => ResolveError::TooComplex { structure, member },
    }
}
