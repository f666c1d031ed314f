//! The archive format of an initramfs ("newc"), written directly.
//!
//! Packing with cpio(1) would need a staging tree and one more package; the format is a header and padding.

use std::collections::BTreeSet;
use std::io::{self, Write};

const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_000;

/// An archive being written. Paths are absolute guest paths; the first file of a name wins.
pub(crate) struct Archive<W> {
    out: W,
    inode: u32,
    names: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    /// An archive without entries.
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            inode: 0,
            names: BTreeSet::new(),
        }
    }

    /// A directory and those above it.
    pub(crate) fn directory(&mut self, path: &str) -> io::Result<()> {
        let name = path.trim_matches('/');
        let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
        for end in ends.filter(|end| *end > 0) {
            self.entry(&name[..end], DIRECTORY, &[])?;
        }
        Ok(())
    }

    /// A file with its permission bits.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: &[u8]) -> io::Result<()> {
        self.parent(path)?;
        self.entry(path.trim_matches('/'), REGULAR | permissions, content)
    }

    /// Writes the end mark and gives the stream back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn parent(&mut self, path: &str) -> io::Result<()> {
        path.rsplit_once('/')
            .map_or(Ok(()), |(parent, _)| self.directory(parent))
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        if !self.names.insert(name.to_owned()) {
            return Ok(());
        }
        self.inode += 1;
        let too_large = |_| io::Error::other(format!("{name} is too large for an initramfs"));
        let size = u32::try_from(content.len()).map_err(too_large)?;
        let name_size = u32::try_from(name.len() + 1).map_err(too_large)?;
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        let mut header = b"070701".to_vec();
        for field in fields {
            write!(header, "{field:08x}")?;
        }
        write!(header, "{name}\0")?;
        self.out.write_all(&header)?;
        self.pad(header.len())?;
        self.out.write_all(content)?;
        self.pad(content.len())
    }

    fn pad(&mut self, length: usize) -> io::Result<()> {
        self.out.write_all(&[0; 3][..length.wrapping_neg() % 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_everything_is_aligned() {
        let mut archive = Archive::new(Vec::new());
        archive.file("/a/b/c", 0o755, b"hello").unwrap();
        archive.file("/a/b/c", 0o755, b"ignored").unwrap();
        archive.file("/a/d", 0o644, b"").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);

        let mut names = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let header = std::str::from_utf8(&bytes[at..at + 110]).unwrap();
            assert!(header.starts_with("070701"));
            let field =
                |index: usize| usize::from_str_radix(&header[6 + index * 8..14 + index * 8], 16).unwrap();
            let (size, name_size) = (field(6), field(11));
            let name = std::str::from_utf8(&bytes[at + 110..at + 109 + name_size]).unwrap();
            names.push(name.to_owned());
            at = (at + 110 + name_size).next_multiple_of(4);
            if name == "a/b/c" {
                assert_eq!(&bytes[at..at + size], b"hello");
            }
            at = (at + size).next_multiple_of(4);
        }
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/d", "TRAILER!!!"]);
    }
}
