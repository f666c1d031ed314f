//! `.gopclntab`: functions, files and lines of Go programs, which their runtime needs and no `strip` removes. Pure.
//!
//! The facts of the format: `runtime/symtab.go` (`pcHeader`, `_func`, `findfunc`, `pcvalue`, `funcfile`),
//! `debug/gosym/pclntab.go` (`parsePclnTab`), `cmd/link/internal/ld/pcln.go`, as of Go 1.16 to 1.25. Inlined calls are told
//! in other tables, which are not read: their code counts for the function that they were compiled into.

use std::num::NonZeroU32;

use memchr::{memchr, memmem};

/// How the tables are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Go 1.16 and 1.17: functions by address.
    Addresses,
    /// Go 1.18 and newer: functions by their distance from the beginning of the code.
    Distances,
}

/// Bytes of a name that are looked at.
const NAME: usize = 4096;
/// Steps through the lines of a function: more than any has.
const STEPS: usize = 1 << 20;
/// Places that look like a table.
const CANDIDATES: usize = 16;
/// Where the words of the header begin, and how long they are.
const WORDS: usize = 8;
const WORD: usize = 8;
/// The word with the beginning of the code.
const TEXT_START: usize = 2;

/// How far behind the beginning of the table that word lies.
pub const TEXT_START_AT: u64 = (WORDS + TEXT_START * WORD) as u64;

/// Where a table begins among other data: by its header, at a multiple of the 32 bytes that the linker aligns it to.
pub fn begins_at(bytes: &[u8]) -> Option<usize> {
    // All layouts have the highest three bytes of the first number in common, and what follows.
    let places = memmem::find_iter(bytes, b"\xff\xff\xff\0\0\x01\x08").filter_map(|at| at.checked_sub(1));
    places
        .filter(|at| at.is_multiple_of(32))
        .take(CANDIDATES)
        .find(|at| {
            let table = bytes.get(*at..).and_then(|table| Table::new(table, || Some(1)));
            table.is_some_and(|table| table.function(table.entry(0).unwrap_or(0)).is_some())
        })
}

/// The table of a program.
pub struct Table<'data> {
    layout: Layout,
    /// Bytes of the shortest instruction.
    quantum: u64,
    /// Address of the first function.
    text: u64,
    functions: usize,
    names: &'data [u8],
    units: &'data [u8],
    files: &'data [u8],
    steps: &'data [u8],
    /// The index of functions, and what it leads to.
    index: &'data [u8],
}

/// Where an address lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function.
    pub function: String,
    /// The file that it begins in.
    pub file: Option<String>,
    /// The line, if that is one of this file.
    pub line: Option<NonZeroU32>,
}

impl<'data> Table<'data> {
    /// Reads the header; `text` says where the code begins if that does not.
    pub fn new(table: &'data [u8], text: impl FnOnce() -> Option<u64>) -> Option<Self> {
        let layout = match number(table, 0)? {
            0xffff_fffa => Layout::Addresses,
            // The second since Go 1.20; what differs is not read here.
            0xffff_fff0 | 0xffff_fff1 => Layout::Distances,
            _ => return None,
        };
        let [0, 0, quantum @ (1 | 2 | 4), 8] = *table.get(4..WORDS)? else {
            return None;
        };
        let word = |index: usize| long(table, WORDS + index * WORD);
        let part = |index: usize| table.get(usize::try_from(word(index)?).ok()?..);
        let (text, first) = match layout {
            Layout::Addresses => (0, TEXT_START),
            Layout::Distances => match word(TEXT_START)? {
                0 => (text()?, TEXT_START + 1),
                told => (told, TEXT_START + 1),
            },
        };
        Some(Self {
            layout,
            quantum: u64::from(quantum),
            text,
            functions: usize::try_from(word(0)?).ok()?,
            names: part(first)?,
            units: part(first + 1)?,
            files: part(first + 2)?,
            steps: part(first + 3)?,
            index: part(first + 4)?,
        })
    }

    /// The function, file and line of an address.
    pub fn find(&self, address: u64) -> Option<Place> {
        let (entry, function) = self.function(address)?;
        let field = |index: usize| {
            // The first field is the beginning of the function; the others have four bytes.
            let first = self.field();
            number(function, first + (index - 1) * 4).and_then(|value| usize::try_from(value).ok())
        };
        let (steps_of_file, steps_of_line, unit) = (field(5)?, field(6)?, field(8)?);
        let file_at = |address| self.value(steps_of_file, entry, address);
        let own = file_at(entry);
        let name = |file: u32| {
            let file = usize::try_from(file).ok()?;
            let at = number(self.units, unit.checked_add(file)?.checked_mul(4)?)?;
            (at != u32::MAX).then(|| text(self.files, usize::try_from(at).ok()?))?
        };
        // A line of another file is one of a function that was inlined.
        let is_own = own.is_some() && file_at(address) == own;
        let line = is_own.then(|| self.value(steps_of_line, entry, address));
        Some(Place {
            function: text(self.names, field(1)?)?,
            file: own.and_then(name),
            line: line.flatten().and_then(NonZeroU32::new),
        })
    }

    /// Where the function of an address begins, and what is written about it.
    fn function(&self, address: u64) -> Option<(u64, &'data [u8])> {
        let is_behind = |index: usize| Some(self.entry(index)? <= address);
        let (mut low, mut high) = (0, self.functions);
        if !is_behind(low)? || is_behind(high)? {
            return None;
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if is_behind(middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        let at = self.cell(low.checked_mul(2)?.checked_add(1)?)?;
        Some((self.entry(low)?, self.index.get(usize::try_from(at).ok()?..)?))
    }

    /// Where a function begins; behind the last one is the end of the code.
    fn entry(&self, index: usize) -> Option<u64> {
        self.cell(index.checked_mul(2)?)?.checked_add(self.text)
    }

    fn cell(&self, index: usize) -> Option<u64> {
        let at = index.checked_mul(self.field())?;
        match self.layout {
            Layout::Addresses => long(self.index, at),
            Layout::Distances => number(self.index, at).map(u64::from),
        }
    }

    /// Bytes of a beginning, and of a place in the index.
    fn field(&self) -> usize {
        match self.layout {
            Layout::Addresses => 8,
            Layout::Distances => 4,
        }
    }

    /// What holds at an address by a list of steps: each changes the value, and says for how long that holds.
    fn value(&self, steps: usize, entry: u64, address: u64) -> Option<u32> {
        // Nothing is written where nothing is known.
        let mut steps = self.steps.get(steps..).filter(|_| steps != 0)?;
        let (mut value, mut end) = (u32::MAX, entry);
        for step in 0..STEPS {
            let change = varint(&mut steps)?;
            if change == 0 && step > 0 {
                return None;
            }
            // The lowest bit is the sign.
            value = value.wrapping_add((change >> 1) ^ (change & 1).wrapping_neg());
            end = end.checked_add(u64::from(varint(&mut steps)?) * self.quantum)?;
            if address < end {
                return (value != u32::MAX).then_some(value);
            }
        }
        None
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number of up to five bytes, the lowest seven bits first.
fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The text up to the next zero byte.
fn text(bytes: &[u8], at: usize) -> Option<String> {
    let bytes = bytes.get(at..)?;
    let bytes = bytes.get(..NAME).unwrap_or(bytes);
    let bytes = memchr(0, bytes).and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    Some(String::from_utf8_lossy(bytes).into_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
#[path = "go_tests.rs"]
mod tests;
