use super::builder::{
    Blob, CONST, FLAG, FUNC, FWD, INT, PTR, STRUCT, TYPE_TAG, TYPEDEF, VOID, VOLATILE, every_kind,
};
use crate::btf::{Btf, FieldSpec, Member, ResolveError, TypeId, resolve_all, resolve_member};

type Resolved = Result<Member, ResolveError>;

fn resolve(blob: &Blob, structure: &str, path: &str) -> Resolved {
    resolve_member(&Btf::parse(&blob.build()).unwrap(), structure, path)
}

fn at(offset: u32, size: u32) -> Member {
    Member { offset, size }
}

fn message(result: Resolved) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn members_of_anonymous_structs_and_unions_are_found() {
    let blob = every_kind();
    assert_eq!(resolve(&blob, "sock_common", "skc_portpair"), Ok(at(0, 4)));
    assert_eq!(resolve(&blob, "sock_common", "skc_dport"), Ok(at(0, 2)));
    assert_eq!(resolve(&blob, "sock_common", "skc_num"), Ok(at(2, 2)));
}

#[test]
fn offsets_of_nested_anonymous_structs_add_up() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    let mut inner = blob.structure("", 8, &[("a", int, 0), ("b", int, 32)]);
    for depth in 1..=32_u32 {
        inner = blob.structure("", 8 + 4 * depth, &[("pad", int, 0), ("", inner, 32)]);
    }
    blob.structure("outer", 8 + 4 * 32, &[("", inner, 0)]);
    assert!(
        matches!(resolve(&blob, "outer", "b"), Err(ResolveError::TypeLoop { .. })),
        "33 levels"
    );
    blob.structure("second", 8 + 4 * 32, &[("pad", int, 0), ("", TypeId(33), 32)]);
    assert_eq!(resolve(&blob, "second", "b"), Ok(at(4 * 32 + 4, 4)), "32 levels");
}

#[test]
fn an_anonymous_member_may_hide_behind_qualifiers() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    let inner = blob.structure("", 8, &[("a", int, 0), ("b", int, 32)]);
    let inner = blob.refer(CONST, "", inner);
    blob.structure("outer", 16, &[("x", int, 0), ("", inner, 64)]);
    assert_eq!(resolve(&blob, "outer", "b"), Ok(at(12, 4)));
}

#[test]
fn dotted_paths_reach_into_named_members() {
    let blob = every_kind();
    assert_eq!(resolve(&blob, "sock", "__sk_common"), Ok(at(0, 24)));
    assert_eq!(resolve(&blob, "sock", "__sk_common.skc_num"), Ok(at(2, 2)));
    assert_eq!(resolve(&blob, "sock", "__sk_common.skc_name"), Ok(at(8, 16)));
    assert_eq!(
        message(resolve(&blob, "sock", "__sk_common.absent")),
        "struct sock has no member __sk_common.absent in this kernel's BTF"
    );
    assert_eq!(
        message(resolve(&blob, "sock", "absent.skc_num")),
        "struct sock has no member absent in this kernel's BTF"
    );
    assert_eq!(
        message(resolve(&blob, "sock", "sk_next.__sk_common")),
        "member sk_next of struct sock is a pointer in this kernel's BTF, not a struct or union"
    );
    assert_eq!(
        message(resolve(&blob, "sock", "__sk_common.tag.x")),
        "member __sk_common.tag of struct sock is an integer in this kernel's BTF, not a struct or union"
    );
    // Named members are not descended into unasked: C would not find the name either.
    assert!(matches!(
        resolve(&blob, "sock", "skc_num"),
        Err(ResolveError::NoMember { .. })
    ));
}

#[test]
fn offsets_along_a_dotted_path_add_up() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    let inner = blob.structure("inner", 8, &[("pad", int, 0), ("c", int, 32)]);
    let anonymous = blob.structure("", 12, &[("pad", int, 0), ("b", inner, 32)]);
    let middle = blob.structure("middle", 16, &[("x", int, 0), ("", anonymous, 32)]);
    blob.structure("outer", 24, &[("x", int, 0), ("a", middle, 64)]);
    assert_eq!(resolve(&blob, "outer", "a.b"), Ok(at(16, 8)));
    assert_eq!(resolve(&blob, "outer", "a.b.c"), Ok(at(20, 4)));
}

#[test]
fn unusable_paths_are_refused() {
    let blob = every_kind();
    for path in ["", ".", "a.", ".a", "__sk_common..skc_num", "skc\0num"] {
        assert!(
            matches!(
                resolve(&blob, "sock", path),
                Err(ResolveError::InvalidPath { .. })
            ),
            "{path:?}"
        );
    }
    assert!(matches!(
        resolve(&blob, "", "skc_num"),
        Err(ResolveError::InvalidPath { .. })
    ));
}

#[test]
fn sizes_are_found_through_typedefs_qualifiers_and_arrays() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    let mut ty = int;
    for kind in [TYPEDEF, CONST, VOLATILE, TYPE_TAG, TYPEDEF] {
        ty = blob.refer(kind, "alias", ty);
    }
    let row = blob.array(ty, 3);
    let matrix = blob.array(row, 5);
    let pointer = blob.refer(PTR, "", VOID);
    let pointers = blob.array(pointer, 2);
    let empty = blob.array(int, 0);
    let members = [
        ("m", matrix, 0),
        ("p", pointers, 480),
        ("f", empty, 608),
        ("i", ty, 0),
    ];
    blob.structure("s", 76, &members);
    assert_eq!(resolve(&blob, "s", "m"), Ok(at(0, 60)));
    assert_eq!(resolve(&blob, "s", "p"), Ok(at(60, 16)));
    assert_eq!(resolve(&blob, "s", "f"), Ok(at(76, 0)));
    assert_eq!(resolve(&blob, "s", "i"), Ok(at(0, 4)));
}

#[test]
fn bitfields_are_refused() {
    let mut blob = every_kind();
    for member in ["sk_flag", "sk_rest"] {
        let expected = format!(
            "member {member} of struct sock is a bitfield in this kernel's BTF, so it has no byte offset"
        );
        assert_eq!(message(resolve(&blob, "sock", member)), expected);
    }
    assert_eq!(resolve(&blob, "sock", "sk_next"), Ok(at(32, 8)));
    // The old way: an integer type of three bits in a struct without the flag.
    let three = blob.push("", INT, 0, 4, &[3]);
    let int = blob.int("int", 4);
    blob.structure(
        "old",
        8,
        &[("bits", three, 0), ("odd", int, 3), ("high", int, 1 << 24)],
    );
    assert!(matches!(
        resolve(&blob, "old", "bits"),
        Err(ResolveError::Bitfield { .. })
    ));
    assert!(matches!(
        resolve(&blob, "old", "odd"),
        Err(ResolveError::Bitfield { .. })
    ));
    // Without the flag, the upper bits are part of the offset, not a width.
    assert!(matches!(
        resolve(&blob, "old", "high"),
        Err(ResolveError::OutsideStruct { .. })
    ));
}

#[test]
fn what_is_missing_is_said() {
    let blob = every_kind();
    assert_eq!(
        message(resolve(&blob, "sock_common", "skc_daddr")),
        "struct sock_common has no member skc_daddr in this kernel's BTF"
    );
    assert_eq!(
        message(resolve(&blob, "socket", "sk")),
        "this kernel's BTF has no struct socket"
    );
    assert_eq!(
        message(resolve(&blob, "opaque", "sk")),
        "this kernel's BTF only declares struct opaque without its members"
    );
    // Only structs and unions count: a typedef, an integer or a variable of that name does not.
    assert!(matches!(
        resolve(&blob, "counter", "x"),
        Err(ResolveError::NoStruct { .. })
    ));
}

#[test]
fn a_declaration_does_not_hide_the_definition() {
    let mut blob = Blob::new();
    blob.push("net", FWD, 0, 0, &[]);
    let int = blob.int("int", 4);
    blob.structure("net", 4, &[("inum", int, 0)]);
    assert_eq!(resolve(&blob, "net", "inum"), Ok(at(0, 4)));
}

#[test]
fn of_structs_with_the_same_name_the_one_with_the_member_counts() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    blob.structure("irq_info", 8, &[("first", int, 0), ("both", int, 32)]);
    blob.structure("irq_info", 12, &[("second", int, 64), ("both", int, 32)]);
    assert_eq!(resolve(&blob, "irq_info", "first"), Ok(at(0, 4)));
    assert_eq!(resolve(&blob, "irq_info", "second"), Ok(at(8, 4)));
    assert_eq!(resolve(&blob, "irq_info", "both"), Ok(at(4, 4)), "both agree");
    blob.structure("irq_info", 12, &[("both", int, 64)]);
    assert_eq!(
        message(resolve(&blob, "irq_info", "both")),
        "this kernel's BTF has several structs irq_info whose member both differs: \
         offset 4, size 4 in one and offset 8, size 4 in another"
    );
    assert!(matches!(
        resolve(&blob, "irq_info", "third"),
        Err(ResolveError::NoMember { .. })
    ));
    // One that has it as a bitfield has it, too.
    blob.composite(STRUCT | FLAG, "irq_info", 4, &[("first", int, 1 << 24)]);
    assert!(matches!(
        resolve(&blob, "irq_info", "first"),
        Err(ResolveError::Bitfield { .. })
    ));
}

#[test]
fn endless_types_end() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    let typedef = blob.refer(TYPEDEF, "loop", blob.next_id(0));
    let array = blob.array(blob.next_id(0), 1);
    let again = blob.next_id(0);
    blob.structure(
        "s",
        8,
        &[
            ("int", int, 0),
            ("typedef", typedef, 0),
            ("array", array, 0),
            ("", again, 32),
        ],
    );
    for path in ["typedef", "array", "typedef.x", "absent"] {
        assert!(
            matches!(resolve(&blob, "s", path), Err(ResolveError::TypeLoop { .. })),
            "{path}"
        );
    }
    assert_eq!(resolve(&blob, "s", "int"), Ok(at(0, 4)));
    blob.structure("t", 4, &[("", typedef, 0)]);
    assert!(matches!(
        resolve(&blob, "t", "absent"),
        Err(ResolveError::TypeLoop { .. })
    ));
}

#[test]
fn a_search_that_branches_at_every_level_is_given_up() {
    let mut blob = Blob::new();
    let mut ty = blob.structure("", 4, &[]);
    for _ in 0..30 {
        ty = blob.union("", 4, &[("", ty, 0), ("", ty, 0)]);
    }
    blob.structure("s", 4, &[("", ty, 0)]);
    assert_eq!(
        message(resolve(&blob, "s", "absent")),
        "gave up looking for member absent of struct s: this kernel's BTF holds too many members"
    );
}

#[test]
fn members_without_a_size_and_members_outside_their_struct_are_refused() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    let fwd = blob.push("opaque", FWD, 0, 0, &[]);
    let huge = (0..3).fold(int, |ty, _| blob.array(ty, u32::MAX));
    let func = blob.refer(FUNC, "f", VOID);
    let none = [("void", VOID), ("fwd", fwd), ("func", func), ("gone", TypeId(99))];
    let mut members: Vec<_> = none.iter().map(|&(name, ty)| (name, ty, 0)).collect();
    members.extend([
        ("huge", huge, 0),
        ("late", int, 8),
        ("last", int, 0),
        ("far", int, u32::MAX - 7),
    ]);
    blob.structure("s", 4, &members);
    for (name, _) in none {
        assert!(
            matches!(resolve(&blob, "s", name), Err(ResolveError::NoSize { .. })),
            "{name}"
        );
    }
    for name in ["huge", "late", "far"] {
        assert!(
            matches!(resolve(&blob, "s", name), Err(ResolveError::OutsideStruct { .. })),
            "{name}"
        );
    }
    assert_eq!(resolve(&blob, "s", "last"), Ok(at(0, 4)));
}

#[test]
fn broken_names_do_not_hide_other_members() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    let start = blob.types.len() + 12;
    blob.structure("s", 8, &[("broken", int, 0), ("fine", int, 32)]);
    blob.types[start..start + 4].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(resolve(&blob, "s", "fine"), Ok(at(4, 4)));
    assert!(matches!(
        resolve(&blob, "s", "broken"),
        Err(ResolveError::NoMember { .. })
    ));
}

#[test]
fn many_are_resolved_like_one_and_in_order() {
    let blob = every_kind().build();
    let btf = Btf::parse(&blob).unwrap();
    let specs = [
        FieldSpec::new("sock", "sk_next"),
        FieldSpec::new("sock_common", "skc_num"),
        FieldSpec::new("absent", "x"),
        FieldSpec::new("sock", "sk_flag"),
        FieldSpec::new("opaque", "x"),
        FieldSpec::new("sock", "__sk_common.skc_dport"),
    ];
    let one_by_one: Vec<Resolved> = specs
        .iter()
        .map(|spec| resolve_member(&btf, spec.structure, spec.path))
        .collect();
    assert_eq!(resolve_all(&btf, &specs), one_by_one);
    assert_eq!(one_by_one.iter().filter(|result| result.is_ok()).count(), 3);
    assert!(resolve_all(&btf, &[]).is_empty());
}
