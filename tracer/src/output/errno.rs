//! Names of the errors that end an attempt to connect.

/// The errors that TCP leaves in `sk_err` (`tcp_reset` and `tcp_write_err`, `net/ipv4/tcp_input.c` and `tcp_timer.c`;
/// `icmp_err_convert`, `net/ipv4/icmp.c`; `tab_unreach`, `net/ipv6/icmp.c`), on every machine of Linux but a few
/// (`include/uapi/asm-generic/errno.h`).
const NAMES: [(u16, &str, &str); 15] = [
    (1, "EPERM", "not permitted"),
    (13, "EACCES", "forbidden by a firewall"),
    (32, "EPIPE", "shut down"),
    (71, "EPROTO", "protocol error"),
    (92, "ENOPROTOOPT", "no such protocol there"),
    (95, "EOPNOTSUPP", "not supported there"),
    (99, "EADDRNOTAVAIL", "no free local port"),
    (100, "ENETDOWN", "network down"),
    (101, "ENETUNREACH", "network unreachable"),
    (103, "ECONNABORTED", "aborted"),
    (104, "ECONNRESET", "reset"),
    (110, "ETIMEDOUT", "timed out"),
    (111, "ECONNREFUSED", "refused"),
    (112, "EHOSTDOWN", "host down"),
    (113, "EHOSTUNREACH", "host unreachable"),
];

/// `ECONNREFUSED`.
pub fn name(errno: u16) -> Option<&'static str> {
    find(errno).map(|(_, name, _)| *name)
}

/// `refused`; `given up` for 0; `error 42` for what is not known here.
pub fn words(errno: u16) -> String {
    match find(errno) {
        Some((_, _, words)) => (*words).to_owned(),
        None if errno == 0 => "given up".to_owned(),
        None => format!("error {errno}"),
    }
}

/// The number of `ECONNREFUSED`, or of `refused`, in capitals or not.
pub fn number(name: &str) -> Option<u16> {
    let means = |known: &str| known.eq_ignore_ascii_case(name);
    let mut names = NAMES.iter();
    names
        .find(|(_, name, words)| means(name) || means(words))
        .map(|(number, ..)| *number)
}

fn find(errno: u16) -> Option<&'static (u16, &'static str, &'static str)> {
    NAMES.iter().find(|(number, ..)| *number == errno)
}
