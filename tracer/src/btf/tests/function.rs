use super::builder::{Blob, CONST, FUNC, FWD, PTR, TYPEDEF, VOID, every_kind};
use crate::btf::{Btf, TypeId, function_param_type_name, function_params};

#[test]
fn parameters_are_counted_and_named() {
    let blob = every_kind().build();
    let btf = Btf::parse(&blob).unwrap();
    assert_eq!(function_params(&btf, "inet_csk_accept"), Some(2));
    assert_eq!(function_param_type_name(&btf, "inet_csk_accept", 0), Some("sock"));
    assert_eq!(
        function_param_type_name(&btf, "inet_csk_accept", 1),
        None,
        "an integer"
    );
    assert_eq!(function_param_type_name(&btf, "inet_csk_accept", 2), None);
    assert_eq!(function_params(&btf, "sock"), None, "not a function");
    assert_eq!(function_params(&btf, "inet_csk"), None);
}

#[test]
fn the_pointed_to_struct_is_found_behind_qualifiers() {
    let mut blob = Blob::new();
    let arg = blob.structure("proto_accept_arg", 0, &[]);
    let arg = blob.refer(CONST, "", arg);
    let pointer = blob.refer(PTR, "", arg);
    let alias = blob.refer(TYPEDEF, "arg_t", pointer);
    let declared = blob.push("opaque", FWD, 0, 0, &[]);
    let declared = blob.refer(PTR, "", declared);
    let anonymous = blob.structure("", 0, &[]);
    let anonymous = blob.refer(PTR, "", anonymous);
    let double = blob.refer(PTR, "", pointer);
    let void = blob.refer(PTR, "", VOID);
    let params = [alias, declared, anonymous, double, void, arg, TypeId(999)];
    blob.function("f", &params.map(|ty| ("p", ty)));
    let bytes = blob.build();
    let btf = Btf::parse(&bytes).unwrap();
    let names: Vec<_> = (0..params.len())
        .map(|index| function_param_type_name(&btf, "f", index))
        .collect();
    assert_eq!(names[..2], [Some("proto_accept_arg"), Some("opaque")]);
    assert!(names[2..].iter().all(Option::is_none), "{names:?}");
}

#[test]
fn variadic_and_empty_and_broken_prototypes() {
    let mut blob = Blob::new();
    let int = blob.int("int", 4);
    blob.function("none", &[]);
    blob.function("printk", &[("fmt", int), ("", VOID)]);
    blob.refer(FUNC, "broken", int);
    blob.refer(FUNC, "gone", TypeId(999));
    let endless = blob.refer(TYPEDEF, "endless", blob.next_id(0));
    blob.function("f", &[("p", endless)]);
    let bytes = blob.build();
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(function_params(&btf, "none"), Some(0));
    assert_eq!(function_params(&btf, "printk"), Some(1));
    assert_eq!(function_params(&btf, "broken"), None);
    assert_eq!(function_params(&btf, "gone"), None);
    assert_eq!(function_param_type_name(&btf, "f", 0), None);
}
