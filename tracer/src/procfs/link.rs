//! Symbolic links of `/proc` that name an inode: `socket:[4711]`, `net:[4026531840]`.

/// The inode number of a link of this kind; `None` if it is of another one.
pub fn inode(target: &[u8], kind: &str) -> Option<u64> {
    let number = target
        .strip_prefix(kind.as_bytes())?
        .strip_prefix(b":[")?
        .strip_suffix(b"]")?;
    decimal(number)
}

/// A number as the kernel prints it: digits only, no sign.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::inode;

    #[test]
    fn other_links_name_no_inode_of_this_kind() {
        assert_eq!(inode(b"socket:[4711]", "socket"), Some(4711));
        for other in [
            &b"pipe:[4711]"[..],
            b"socket:[]",
            b"socket:[+1]",
            b"socket:[4711] (deleted)",
            b"/tmp/socket:[4711]",
            b"socket:[99999999999999999999]",
            b"",
        ] {
            assert_eq!(inode(other, "socket"), None, "{}", other.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_the_kernel_prints_comes_back(number in any::<u64>()) {
            prop_assert_eq!(inode(format!("net:[{number}]").as_bytes(), "net"), Some(number));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = inode(&bytes, "net");
        }
    }
}
