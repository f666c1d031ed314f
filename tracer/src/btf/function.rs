//! Looks at the signatures of kernel functions.

use super::kind::Kind;
use super::raw::{Btf, RawParam, Type, TypeId};
use super::search::strip_modifiers;

/// How many parameters the function takes, the `...` of a variadic one not counted.
///
/// `None` if there is no function of that name. If there are several (static functions of different files),
/// the first one counts, which is also the one a program is attached to by name.
pub fn function_params(btf: &Btf<'_>, function: &str) -> Option<usize> {
    Some(declared_params(prototype(btf, function)?).count())
}

/// Name of the struct or union that the function's parameter at `index` (counted from 0) points to.
///
/// `None` if there is no such function or parameter, or if it is not a pointer to a struct or union with a
/// name. Which of several functions of the same name counts is said at [`function_params`].
pub fn function_param_type_name<'a>(btf: &Btf<'a>, function: &str, index: usize) -> Option<&'a str> {
    let param = declared_params(prototype(btf, function)?).nth(index)?;
    let pointer = strip_modifiers(btf, param.type_id)
        .ok()
        .flatten()
        .filter(|ty| ty.kind() == Kind::Ptr)?;
    let target = strip_modifiers(btf, pointer.target()?).ok().flatten()?;
    if !target.is_composite() && target.kind() != Kind::Fwd {
        return None;
    }
    btf.name(target.name_offset())
        .ok()
        .filter(|name| !name.is_empty())
}

fn prototype<'a>(btf: &Btf<'a>, function: &str) -> Option<Type<'a>> {
    btf.types()
        .filter(|ty| ty.kind() == Kind::Func && btf.name_is(ty.name_offset(), function))
        .find_map(|ty| {
            btf.get(ty.target()?)
                .filter(|proto| proto.kind() == Kind::FuncProto)
        })
}

fn declared_params(prototype: Type<'_>) -> impl Iterator<Item = RawParam> {
    // btf.rst: a variadic function's last parameter has neither a name nor a type.
    prototype
        .params()
        .take_while(|param| param.name_offset != 0 || param.type_id != TypeId(0))
}
