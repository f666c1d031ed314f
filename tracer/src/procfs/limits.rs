//! `/proc/PID/limits`: how many descriptors a process may have.

use super::link::decimal;

/// The soft limit on open files; `None` if it is unlimited or the file does not say.
pub fn open_files(file: &[u8]) -> Option<u64> {
    // Fixed columns, the soft limit first (`proc_pid_limits`, `fs/proc/base.c`).
    let soft = file
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Max open files "))?
        .split(u8::is_ascii_whitespace)
        .find(|column| !column.is_empty())?;
    decimal(soft)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::process::{Resource, getrlimit};

    use super::open_files;

    #[test]
    fn the_soft_limit_is_the_first_column() {
        let file = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             1                    2                    processes \n\
                 Max open files            {soft:<20} 524288               files     \n"
            )
        };
        assert_eq!(open_files(file("1024").as_bytes()), Some(1024));
        assert_eq!(open_files(file("unlimited").as_bytes()), None);
        assert_eq!(open_files(b"Max open files"), None);
    }

    #[test]
    fn our_own_limit_is_what_the_kernel_says() {
        let file = std::fs::read("/proc/self/limits").unwrap();
        assert_eq!(open_files(&file), getrlimit(Resource::Nofile).current);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in "(Max open files )?[ 0-9a-z\n]{0,40}") {
            let _ = open_files(bytes.as_bytes());
        }
    }
}
