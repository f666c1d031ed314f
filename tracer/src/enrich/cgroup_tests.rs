use proptest::prelude::*;

use super::{Membership, NAME_MAX, parse};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const INNER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const SHORT: &str = "0123456789abcdef0123456789abcdef";

fn unified(path: &str) -> Membership {
    parse(format!("0::{path}\n").as_bytes())
}

fn unit(path: &str) -> Option<String> {
    unified(path).unit
}

fn container(path: &str) -> Option<String> {
    unified(path).container
}

#[test]
fn the_unit_is_the_innermost_service_or_scope() {
    for (path, expected) in [
        ("/system.slice/nginx.service", Some("nginx.service")),
        ("/system.slice/nginx.service/worker", Some("nginx.service")),
        (
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            Some("postgresql@15-main.service"),
        ),
        (
            "/user.slice/user-1000.slice/session-3.scope",
            Some("session-3.scope"),
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service",
            Some("foo.service"),
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox\\x2desr-77.scope",
            Some("app-firefox\\x2desr-77.scope"),
        ),
        ("/system.slice/_cgroup.test.service", Some("cgroup.test.service")),
        ("/init.scope", Some("init.scope")),
        ("/system.slice", None),
        ("/system.slice/.service", None),
        ("/system.slice/two words.service", None),
        ("/system.slice/\u{1b}[31m.service", None),
        ("/", None),
    ] {
        assert_eq!(unit(path).as_deref(), expected, "{path}");
    }
    let long = format!("/{}.service", "x".repeat(NAME_MAX));
    assert_eq!(unit(&long), None);
}

#[test]
fn containers_are_known_by_the_paths_of_their_runtimes() {
    for path in [
        format!("/docker/{ID}"),
        format!("/system.slice/docker-{ID}.scope"),
        format!("/system.slice/docker-{ID}.scope/init"),
        format!("/machine.slice/libpod-{ID}.scope/container"),
        format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"),
        format!("/kubepods/burstable/pod1b2c3d4e-0000-1111-2222-333344445555/{ID}"),
        format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b2c.slice/cri-containerd-{ID}.scope"
        ),
        format!(
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1b2c.slice/crio-{ID}.scope"
        ),
        format!("/system.slice/containerd.service/kubepods-burstable-pod1b2c.slice:cri-containerd:{ID}"),
        format!("/ecs/{SHORT}/{ID}"),
        format!("/default/{ID}"),
    ] {
        assert_eq!(container(&path).as_deref(), Some(ID), "{path}");
    }
    assert_eq!(container(&format!("/docker/{SHORT}")).as_deref(), Some(SHORT));
    assert_eq!(
        container(&format!("/kubepods/burstable/pod1b2c/{SHORT}")).as_deref(),
        Some(SHORT)
    );
    let fargate = format!("{SHORT}-1234567890");
    assert_eq!(container(&format!("/ecs/{SHORT}/{fargate}")), Some(fargate));
}

#[test]
fn lxc_containers_have_names() {
    assert_eq!(container("/lxc.payload.web/system.slice").as_deref(), Some("web"));
    assert_eq!(container("/lxc/101/ns").as_deref(), Some("101"));
    assert_eq!(container("/lxc.monitor.web"), None);
    assert_eq!(container("/lxc.payload."), None);
}

#[test]
fn other_directories_are_no_containers() {
    for path in [
        format!("/machine.slice/libpod-conmon-{ID}.scope"),
        format!("/system.slice/crio-conmon-{ID}.scope"),
        format!("/process_api/{SHORT}"),
        format!("/docker/{}", &ID[1..]),
        format!("/docker/{}g", &ID[1..]),
        "/system.slice/nginx.service".to_owned(),
        "/".to_owned(),
    ] {
        assert_eq!(container(&path), None, "{path}");
    }
}

#[test]
fn the_inner_one_of_two_containers_counts() {
    assert_eq!(
        container(&format!("/docker/{ID}/docker/{INNER}")).as_deref(),
        Some(INNER)
    );
    assert_eq!(
        container(&format!("/lxc.payload.web/system.slice/docker-{INNER}.scope")).as_deref(),
        Some(INNER)
    );
}

#[test]
fn version_one_and_both_at_once_are_read() {
    let file = format!(
        "12:pids:/docker/{ID}\n11:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/system.slice/foo.service\n"
    );
    let expected = Membership {
        unit: Some("foo.service".to_owned()),
        container: Some(ID.to_owned()),
    };
    assert_eq!(parse(file.as_bytes()), expected);
    let hybrid =
        b"4:memory:/elsewhere.service\n1:name=systemd:/system.slice/foo.service\n0::/system.slice/new.service\n";
    assert_eq!(parse(hybrid).unit.as_deref(), Some("new.service"));
    let not_unified = b"4:memory:/elsewhere.service\n1:name=systemd:/system.slice/foo.service\n0::/\n";
    assert_eq!(parse(not_unified).unit.as_deref(), Some("foo.service"));
    assert_eq!(parse(b""), Membership::default());
    assert_eq!(parse(b"0::/system.slice/cut.service"), Membership::default());
}

#[test]
fn a_colon_belongs_to_the_path() {
    assert_eq!(
        parse(b"0::/system.slice/a:b.service\n").unit.as_deref(),
        Some("a:b.service")
    );
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_is_found_stands_in_the_file_and_is_short(
        lines in prop::collection::vec("(0::|1:name=systemd:|7:cpu:)(/(lxc|_?[a-z]{1,3}|docker-|[0-9a-f]{32,64})(\\.service|\\.scope)?){0,4}", 0..4),
    ) {
        let file = lines.join("\n") + "\n";
        let Membership { unit, container } = parse(file.as_bytes());
        for name in [unit, container].into_iter().flatten() {
            prop_assert!(!name.is_empty() && name.len() <= NAME_MAX);
            prop_assert!(file.contains(&name), "{name} is not in {file}");
        }
    }
}
