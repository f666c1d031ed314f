//! The running kernel's own BTF. Only what holds for every kernel that this tool supports is asserted.

use crate::btf::{
    Btf, FieldSpec, Kind, Member, function_param_type_name, function_params, resolve_all, resolve_member,
};

const PATH: &str = "/sys/kernel/btf/vmlinux";

fn with_vmlinux(check: impl FnOnce(&Btf<'_>)) {
    match std::fs::read(PATH) {
        Ok(blob) => check(&Btf::parse(&blob).unwrap()),
        Err(error) => println!("skipped: cannot read {PATH}: {error}"),
    }
}

#[test]
fn sizes_are_what_the_kernel_promises() {
    let expected = [
        ("sock_common", "skc_family", 2),
        ("sock_common", "skc_state", 1),
        ("sock_common", "skc_dport", 2),
        ("sock_common", "skc_num", 2),
        ("sock_common", "skc_daddr", 4),
        ("sock_common", "skc_rcv_saddr", 4),
        ("sock_common", "skc_net.net", 8),
        ("sock", "__sk_common.skc_dport", 2),
        ("sock", "sk_err", 4),
        ("sock", "sk_socket", 8),
        ("net", "ns.inum", 4),
        ("task_struct", "group_leader", 8),
        ("task_struct", "comm", 16),
        ("task_struct", "files", 8),
        ("files_struct", "fdt", 8),
        ("fdtable", "fd", 8),
        ("fdtable", "max_fds", 4),
        ("file", "private_data", 8),
        ("file", "f_op", 8),
        ("socket", "sk", 8),
    ];
    with_vmlinux(|btf| {
        let specs = expected.map(|(structure, path, _)| FieldSpec::new(structure, path));
        let resolved = resolve_all(btf, &specs);
        for ((structure, path, size), member) in expected.iter().zip(&resolved) {
            assert_eq!(member.as_ref().unwrap().size, *size, "{structure}.{path}");
        }
    });
}

#[test]
fn members_of_the_socket_lie_where_the_kernel_source_puts_them() {
    with_vmlinux(|btf| {
        let offset = |structure, path| resolve_member(btf, structure, path).map(|member| member.offset);
        // include/net/sock.h: the address pair leads the struct, destination first, and each pair fills a
        // word.
        assert_eq!(offset("sock_common", "skc_daddr"), Ok(0));
        assert_eq!(offset("sock_common", "skc_rcv_saddr"), Ok(4));
        let port = offset("sock_common", "skc_dport").unwrap();
        assert_eq!(offset("sock_common", "skc_num"), Ok(port + 2));
        assert_eq!(offset("sock", "__sk_common.skc_dport"), Ok(port));
    });
}

#[test]
fn members_that_not_every_kernel_has_have_the_right_size_where_they_exist() {
    let optional = [
        // Without CONFIG_IPV6 these are absent.
        ("sock_common", "skc_v6_daddr", 16),
        ("sock_common", "skc_v6_rcv_saddr", 16),
        // `real_start_time` before Linux 5.5.
        ("task_struct", "start_boottime", 8),
    ];
    with_vmlinux(|btf| {
        for (structure, path, size) in optional {
            match resolve_member(btf, structure, path) {
                Ok(Member { size: found, .. }) => assert_eq!(found, size, "{structure}.{path}"),
                Err(error) => println!("not on this kernel: {error}"),
            }
        }
    });
}

#[test]
fn every_reference_and_every_name_can_be_read() {
    with_vmlinux(|btf| {
        assert_eq!(btf.types().count(), btf.type_count());
        for ty in btf.types() {
            btf.name(ty.name_offset()).unwrap();
            let targets = ty
                .target()
                .into_iter()
                .chain(ty.array().map(|(element, _)| element));
            let members = ty.members().map(|member| member.type_id);
            let params = ty.params().map(|param| param.type_id);
            for id in targets.chain(members).chain(params) {
                assert!(id.0 == 0 || btf.get(id).is_some(), "{id:?}");
            }
            assert!(!matches!(ty.kind(), Kind::Other(_)));
        }
    });
}

#[test]
fn the_traced_functions_have_a_known_signature() {
    with_vmlinux(|btf| {
        // Two parameters since Linux 6.10, four before.
        let params = function_params(btf, "inet_csk_accept");
        assert!(matches!(params, Some(2 | 4)), "{params:?}");
        assert_eq!(function_param_type_name(btf, "inet_csk_accept", 0), Some("sock"));
        let expected = (params == Some(2)).then_some("proto_accept_arg");
        assert_eq!(function_param_type_name(btf, "inet_csk_accept", 1), expected);
        assert_eq!(function_param_type_name(btf, "tcp_close", 0), Some("sock"));
    });
}
