//! One file of code, open: what its headers say, and where its unwind tables are.

use std::{fs::File, ops::Range};

use anyhow::{Context as _, bail, ensure};
use memmap2::Mmap;
use object::{Architecture, Object as _, ObjectSection as _, ObjectSegment as _, RelocationTarget};

use super::{
    cfi::Tables,
    go::{self, Place, TEXT_START_AT, Table},
    unwind::Linkage,
};

/// A larger file is not looked into.
const LARGEST: u64 = 1 << 30;

/// Sections with Go's table of functions; the second in programs that may lie anywhere.
const GO_TABLES: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];
/// Where the C linker puts that table, among other things.
const MIXED: [&str; 2] = [".data.rel.ro", ".rodata"];
/// Another section that only Go's linker makes.
const GO_NOTE: &str = ".note.go.buildid";

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
    go: Option<Section>,
    /// Where Go's code begins, if its table does not say.
    go_text: Option<u64>,
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
        let is_go = [&GO_TABLES[..], &[GO_NOTE]]
            .concat()
            .iter()
            .any(|name| object.section_by_name(name).is_some());
        let go = GO_TABLES.iter().find_map(|name| section(name)).or_else(|| {
            let mixed = MIXED.iter().filter(|_| is_go).filter_map(|name| section(name));
            mixed.into_iter().find_map(|section| go_table(&map, &section))
        });
        let go_text = go.as_ref().and_then(|table| go_text(&object, table));
        Ok(Self {
            segments: segments.collect(),
            index: section(".eh_frame_hdr"),
            frames: section(".eh_frame"),
            is_go,
            go,
            go_text,
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

    /// What Go's runtime would say of an offset.
    pub fn go_place(&self, offset: u64) -> Option<Place> {
        let (table, _) = self.bytes(self.go.as_ref())?;
        Table::new(table, || self.go_text)?.find(self.address(offset)?)
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

/// The part of a section that begins with Go's table.
fn go_table(file: &[u8], section: &Section) -> Option<Section> {
    let bytes = file.get(section.bytes.clone())?;
    let at = go::begins_at(bytes)?;
    Some(Section {
        bytes: section.bytes.start + at..section.bytes.end,
        address: section.address.checked_add(at as u64)?,
    })
}

/// Where Go's code begins: the loader writes it into the table of a program that may lie anywhere, Go 1.26 nowhere near it.
/// It is the beginning of `.text`, unless the C linker has put code of its own there.
fn go_text(object: &object::File<'_>, table: &Section) -> Option<u64> {
    let at = table.address.checked_add(TEXT_START_AT)?;
    let relocations = object.dynamic_relocations();
    let relocation = relocations.and_then(|mut all| all.find(|(address, _)| *address == at));
    if let Some((_, relocation)) = relocation {
        let is_plain = relocation.target() == RelocationTarget::Absolute;
        return u64::try_from(relocation.addend()).ok().filter(|_| is_plain);
    }
    let is_linked_with_c = object.section_by_name(".init").is_some();
    let text = object.section_by_name(".text")?;
    (!is_linked_with_c).then(|| text.address())
}

fn build_id(object: &object::File<'_>) -> Option<String> {
    let id = object.build_id().ok().flatten()?;
    let digits = id.iter().take(32).map(|byte| format!("{byte:02x}"));
    Some(digits.collect())
}
