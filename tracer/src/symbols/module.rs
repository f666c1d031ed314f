//! One file of code, open: what its headers say, and where its unwind tables are.

use std::{fs::File, ops::Range};

use anyhow::{Context as _, bail, ensure};
use memmap2::Mmap;
use object::{Architecture, Object as _, ObjectSection as _, ObjectSegment as _};

use super::{cfi::Tables, unwind::Linkage};

/// A larger file is not looked into.
const LARGEST: u64 = 1 << 30;

/// Sections that only Go's linker makes.
const GO: [&str; 3] = [".gopclntab", ".data.rel.ro.gopclntab", ".note.go.buildid"];

/// A file of code.
pub struct Module {
    file: File,
    map: Mmap,
    /// Of each segment: where it lies in the file, and at which address.
    segments: Vec<(Range<u64>, u64)>,
    index: Option<Section>,
    frames: Option<Section>,
    text: u64,
    is_go: bool,
    build_id: Option<String>,
    has_debug_information: bool,
    /// Debug information that was split off.
    debug_file: Option<File>,
}

/// Bytes of the file, and their address.
struct Section {
    bytes: Range<usize>,
    address: u64,
}

impl Module {
    /// Reads the headers of a file.
    pub fn open(file: File) -> anyhow::Result<Self> {
        let about = file.metadata()?;
        ensure!(about.is_file(), "no regular file");
        ensure!(about.len() <= LARGEST, "larger than {LARGEST} bytes");
        // SAFETY: who can write the file can change it under us, or cut it off, which ends this process with SIGBUS.
        // Only the helper comes here, and whoever asked it lives on.
        let map = unsafe { Mmap::map(&file) }?;
        let object = object::File::parse(&*map).context("no object file")?;
        if object.architecture() != Architecture::X86_64 {
            bail!("code of another architecture");
        }
        let segments = object.segments().map(|segment| {
            let (start, length) = segment.file_range();
            (start..start.saturating_add(length), segment.address())
        });
        let section = |name: &str| {
            let section = object.section_by_name(name)?;
            let (start, length) = section.file_range()?;
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            (end <= map.len()).then(|| Section {
                bytes: start..end,
                address: section.address(),
            })
        };
        Ok(Self {
            segments: segments.collect(),
            index: section(".eh_frame_hdr"),
            frames: section(".eh_frame"),
            is_go: GO.iter().any(|name| object.section_by_name(name).is_some()),
            text: object.section_by_name(".text").map_or(0, |text| text.address()),
            build_id: build_id(&object),
            has_debug_information: [".debug_info", ".zdebug_info"]
                .iter()
                .any(|name| object.section_by_name(name).is_some()),
            debug_file: None,
            map,
            file,
        })
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Debug information that was split off.
    pub fn debug_file(&self) -> Option<&File> {
        self.debug_file.as_ref()
    }

    /// The build id, if debug information may lie in another file.
    pub fn lacks_debug_information(&self) -> Option<&str> {
        self.build_id().filter(|_| !self.has_debug_information)
    }

    /// Adds debug information that was split off, if it is of this very file.
    pub fn add_debug_file(&mut self, file: Option<File>) {
        self.debug_file = file.filter(|file| {
            // SAFETY: as above.
            let map = unsafe { Mmap::map(file) };
            let of = map
                .ok()
                .and_then(|map| build_id(&object::File::parse(&*map).ok()?));
            of.is_some() && of == self.build_id
        });
    }

    /// Its build id, in hexadecimal digits.
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// How the code at this offset finds its caller.
    pub fn linkage(&self, offset: u64) -> Linkage {
        match self.written(offset) {
            Some(linkage) => linkage,
            None if self.is_go => Linkage::Go,
            None => Linkage::Unwritten,
        }
    }

    fn written(&self, offset: u64) -> Option<Linkage> {
        let address = self.address(offset)?;
        let frames = self.bytes(self.frames.as_ref())?;
        let index = self.bytes(self.index.as_ref());
        let text = self.text;
        Tables { index, frames, text }.linkage(address)
    }

    fn bytes(&self, section: Option<&Section>) -> Option<(&[u8], u64)> {
        let section = section?;
        Some((self.map.get(section.bytes.clone())?, section.address))
    }

    /// The address of an offset.
    pub fn address(&self, offset: u64) -> Option<u64> {
        let (file, address) = self.segments.iter().find(|(file, _)| file.contains(&offset))?;
        (offset - file.start).checked_add(*address)
    }
}

fn build_id(object: &object::File<'_>) -> Option<String> {
    let id = object.build_id().ok().flatten()?;
    let digits = id.iter().take(32).map(|byte| format!("{byte:02x}"));
    Some(digits.collect())
}
