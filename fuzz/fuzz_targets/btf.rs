//! Any bytes as BTF, looked up as the tracer looks up the running kernel.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracer::btf::{Btf, FieldSpec, function_param_type_name, function_params, resolve_all};
use tracer_common::layout::FIELDS;

fuzz_target!(|data: &[u8]| {
    let Ok(btf) = Btf::parse(data) else { return };
    let specs: Vec<FieldSpec<'_>> = FIELDS
        .iter()
        .map(|field| FieldSpec::new(field.container, field.member))
        .collect();
    assert_eq!(resolve_all(&btf, &specs).len(), specs.len());
    let _ = function_params(&btf, "inet_csk_accept");
    let _ = function_param_type_name(&btf, "inet_csk_accept", 1);
});
