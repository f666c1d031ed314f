//! `/proc/PID/status`: the process id in the process's own namespace.

use super::link::decimal;

/// The process id in the innermost PID namespace, where that is not the one `/proc` shows: `NSpid` lists the ids from
/// there inwards (`task_state`, `fs/proc/array.c`).
pub fn inner_pid(file: &[u8]) -> Option<u32> {
    // The name comes first and its newlines are escaped, so no other line can pass for this one.
    let ids = file
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(b"NSpid:"))?;
    let mut ids = ids
        .split(u8::is_ascii_whitespace)
        .filter(|id| !id.is_empty())
        .map(|id| decimal(id)?.try_into().ok());
    ids.next()??;
    ids.next_back()?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::inner_pid;

    #[test]
    fn the_last_of_several_is_the_inner_one() {
        let status = |ids: &str| format!("Name:\tx\nUmask:\t0022\nNSpid:\t{ids}\nNSpgid:\t9\t9\n");
        assert_eq!(inner_pid(status("4711").as_bytes()), None);
        assert_eq!(inner_pid(status("4711\t1").as_bytes()), Some(1));
        assert_eq!(inner_pid(status("4711\t815\t7").as_bytes()), Some(7));
        assert_eq!(inner_pid(status("4711\tx").as_bytes()), None);
        assert_eq!(inner_pid(b"Name:\tx\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in "(NSpid:)?[\t 0-9a\n]{0,40}") {
            let _ = inner_pid(bytes.as_bytes());
        }
    }
}
