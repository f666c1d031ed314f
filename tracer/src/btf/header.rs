//! The header of BTF data, which says where the sections are.

use core::ops::Range;

use super::error::BtfError;
use super::raw::u32_at;

/// `BTF_MAGIC` of btf.h.
const MAGIC: u16 = 0xeb9f;
/// `BTF_VERSION` of btf.h.
const VERSION: u8 = 1;
/// Length of `struct btf_header` up to and including `str_len`; later kernels append fields.
const MIN_HEADER_LEN: usize = 24;
/// Length of a header that also has `layout_off` and `layout_len`.
const LAYOUT_HEADER_LEN: usize = 32;

/// The fields of `struct btf_header` that are used.
pub(super) struct Header {
    pub(super) types: Section,
    pub(super) strings: Section,
    /// How long the records of each kind are; added to btf.h in 2026 and empty in older data.
    pub(super) layout: Section,
}

impl Header {
    pub(super) fn parse(data: &[u8]) -> Result<Self, BtfError> {
        let too_short = || BtfError::TooShort {
            len: data.len(),
            needed: MIN_HEADER_LEN,
        };
        let fixed: &[u8; MIN_HEADER_LEN] = data.first_chunk().ok_or_else(too_short)?;
        let magic = u16::from_ne_bytes([fixed[0], fixed[1]]);
        if magic == MAGIC.swap_bytes() {
            return Err(BtfError::ForeignEndian);
        }
        if magic != MAGIC {
            return Err(BtfError::BadMagic { found: magic });
        }
        if fixed[2] != VERSION {
            return Err(BtfError::UnsupportedVersion { found: fixed[2] });
        }
        let field = |at| u32_at(data, at).ok_or_else(too_short);
        let hdr_len = field(4)?;
        let len = hdr_len as usize;
        if !(MIN_HEADER_LEN..=data.len()).contains(&len) {
            return Err(BtfError::HeaderLength {
                hdr_len,
                needed: MIN_HEADER_LEN,
                len: data.len(),
            });
        }
        // btf.h: all offsets are relative to the end of the header.
        let section = |name, at| {
            let start = u64::from(hdr_len) + u64::from(field(at)?);
            Ok(Section {
                name,
                start,
                end: start + u64::from(field(at + 4)?),
            })
        };
        let layout = if len < LAYOUT_HEADER_LEN {
            Section {
                name: "layout",
                start: 0,
                end: 0,
            }
        } else {
            section("layout", 24)?
        };
        Ok(Self {
            types: section("type", 8)?,
            strings: section("string", 16)?,
            layout,
        })
    }
}

/// Where a section is, not yet compared with the data's length.
pub(super) struct Section {
    name: &'static str,
    start: u64,
    end: u64,
}

impl Section {
    /// Cuts the section out of the data.
    pub(super) fn of<'a>(&self, data: &'a [u8]) -> Result<&'a [u8], BtfError> {
        self.range()
            .and_then(|range| data.get(range))
            .ok_or(BtfError::SectionOutOfRange {
                section: self.name,
                start: self.start,
                end: self.end,
                len: data.len(),
            })
    }

    fn range(&self) -> Option<Range<usize>> {
        Some(usize::try_from(self.start).ok()?..usize::try_from(self.end).ok()?)
    }
}
