//! `/proc/PID/maps`: where the code of a process lies. Pure.

use std::str;

/// Code that is mapped into a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
    /// Where that begins in the file.
    pub offset: u64,
    /// The file, as the process names it; any bytes.
    pub path: Vec<u8>,
    /// Device and inode number, as the kernel writes them.
    pub file: (Vec<u8>, u64),
}

impl Mapping {
    /// Whether there is a file behind it, and not memory that a program was written into.
    pub fn has_file(&self) -> bool {
        self.path.first() == Some(&b'/') && self.file.1 != 0 && !self.is_memory()
    }

    /// Whether it is memory that only looks like a file (`memfd_create`, shared anonymous memory).
    fn is_memory(&self) -> bool {
        [&b"/memfd:"[..], b"/dev/zero", b"/anon_hugepage", b"/SYSV"]
            .iter()
            .any(|prefix| self.path.starts_with(prefix))
    }

    /// Where an address lies in the file.
    pub fn offset_of(&self, address: u64) -> u64 {
        address.wrapping_sub(self.start).wrapping_add(self.offset)
    }

    /// The path without what the kernel says of a file that is gone.
    pub fn name(&self) -> &[u8] {
        self.path.strip_suffix(DELETED).unwrap_or(&self.path)
    }

    /// Whether another file may have that name by now.
    pub fn is_deleted(&self) -> bool {
        self.path.ends_with(DELETED)
    }
}

const DELETED: &[u8] = b" (deleted)";

/// The code of a process, in the order of the addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps(Vec<Mapping>);

impl Maps {
    /// From the bytes of the file (`show_map_vma`, `fs/proc/task_mmu.c`); lines that make no sense are left out.
    pub fn parse(file: &[u8]) -> Self {
        let mut mappings: Vec<Mapping> = file.split(|byte| *byte == b'\n').filter_map(mapping).collect();
        mappings.sort_unstable_by_key(|mapping| mapping.start);
        Self(mappings)
    }

    /// What lies at an address.
    pub fn find(&self, address: u64) -> Option<&Mapping> {
        let behind = self.0.partition_point(|mapping| mapping.start <= address);
        let mapping = self.0.get(behind.checked_sub(1)?)?;
        (address < mapping.end).then_some(mapping)
    }
}

/// `55d0-55e0 r-xp 00001000 fe:01 123   /usr/bin/x`, if it is code.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut rest = line;
    let mut field = || {
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        let (field, behind) = rest.split_at(end);
        rest = behind.strip_prefix(b" ").unwrap_or(behind);
        field
    };
    let [range, flags, offset, device, inode] = [field(), field(), field(), field(), field()];
    if flags.get(2) != Some(&b'x') {
        return None;
    }
    let range = str::from_utf8(range).ok()?;
    let (start, end) = range.split_once('-')?;
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let path: &[u8] = rest.trim_ascii_start();
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        offset: hex(str::from_utf8(offset).ok()?)?,
        path: path.to_vec(),
        file: (device.to_vec(), str::from_utf8(inode).ok()?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &[u8] = b"\
55d000001000-55d000002000 r--p 00000000 fe:01 123                        /usr/bin/x
55d000002000-55d000003000 r-xp 00001000 fe:01 123                        /usr/bin/x y\\012z (deleted)
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7f0000001000-7f0000002000 r-xs 00000000 00:01 9                          /memfd:jit (deleted)
7fff00000000-7fff00001000 r-xp 00000000 00:00 0                          [vdso]
";

    #[test]
    fn code_is_found_by_its_address() {
        let maps = Maps::parse(FILE);
        let found = maps.find(0x55d0_0000_2abc).unwrap();
        assert_eq!(found.offset_of(0x55d0_0000_2abc), 0x1abc);
        assert_eq!(found.name(), b"/usr/bin/x y\\012z");
        assert!(found.has_file() && found.is_deleted());
        assert_eq!(maps.find(0x55d0_0000_1abc), None, "no code");
        assert_eq!(maps.find(0x55d0_0000_3000), None, "behind the end");
        assert_eq!(maps.find(0), None);
    }

    #[test]
    fn memory_is_no_file() {
        let maps = Maps::parse(FILE);
        for address in [0x7f00_0000_0000, 0x7f00_0000_1000, 0x7fff_0000_0000] {
            assert!(!maps.find(address).unwrap().has_file());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(file in prop::collection::vec(any::<u8>(), 0..400), address: u64) {
            let _: Option<&Mapping> = Maps::parse(&file).find(address);
        }
    }
}
