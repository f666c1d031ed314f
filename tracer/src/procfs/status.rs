//! `/proc/PID/status`: the process id in the process's own namespace, and the users it acts for.

use super::link::decimal;

/// The process id in the innermost PID namespace, where that is not the one `/proc` shows: `NSpid` lists the ids from
/// there inwards (`task_state`, `fs/proc/array.c`).
pub fn inner_pid(file: &[u8]) -> Option<u32> {
    let mut ids = numbers(file, b"NSpid:")?;
    ids.next()??;
    ids.next_back()?
}

/// Whether a user is one of those that the process acts for (real, effective, saved, of files), or root.
pub fn acts_for(file: &[u8], user: u32) -> bool {
    user == 0 || numbers(file, b"Uid:").is_some_and(|mut users| users.any(|known| known == Some(user)))
}

/// The numbers behind a name; `None` in place of one that is none.
fn numbers<'a>(
    file: &'a [u8],
    name: &[u8],
) -> Option<impl DoubleEndedIterator<Item = Option<u32>> + use<'a>> {
    // The name of the process comes first and its newlines are escaped, so no other line can pass for this one.
    let line = file
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(name))?;
    let words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    Some(words.map(|word| decimal(word)?.try_into().ok()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{acts_for, inner_pid};

    #[test]
    fn the_last_of_several_is_the_inner_one() {
        let status = |ids: &str| format!("Name:\tx\nUmask:\t0022\nNSpid:\t{ids}\nNSpgid:\t9\t9\n");
        assert_eq!(inner_pid(status("4711").as_bytes()), None);
        assert_eq!(inner_pid(status("4711\t1").as_bytes()), Some(1));
        assert_eq!(inner_pid(status("4711\t815\t7").as_bytes()), Some(7));
        assert_eq!(inner_pid(status("4711\tx").as_bytes()), None);
        assert_eq!(inner_pid(b"Name:\tx\n"), None);
    }

    #[test]
    fn a_process_acts_for_its_users_and_root() {
        let status = b"Name:\tx\nPid:\t9\nUid:\t1000\t1001\t1001\t1002\nGid:\t7\t7\t7\t7\n";
        for user in [0, 1000, 1001, 1002] {
            assert!(acts_for(status, user), "{user}");
        }
        assert!(!acts_for(status, 7));
        assert!(!acts_for(b"Name:\tx\n", 9));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in "(NSpid:|Uid:)?[\t 0-9a\n]{0,40}") {
            let _ = inner_pid(bytes.as_bytes());
            let _ = acts_for(bytes.as_bytes(), 9);
        }
    }
}
