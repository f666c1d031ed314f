//! `/tmp/perf-PID.map`: the names of code that a program compiles at run time (Node with `--perf-basic-prof`, agents of
//! Java, Python with `-X perf`).
//!
//! The program appends to it as long as it runs, and it may be anything: it is read once, up to a limit, and of a place
//! that was written twice the last name holds. Nothing but the names that are asked for is kept.

use std::io::{BufRead, Read as _};

/// Bytes that are read.
pub const LIMIT: u64 = 64 << 20;
/// Bytes of a line that are read; what follows is skipped.
const LINE: u64 = 2048;

/// The names at these addresses, in their order.
pub fn names(mut file: impl BufRead, addresses: &[u64]) -> Vec<Option<String>> {
    let mut names = vec![None; addresses.len()];
    let mut left = LIMIT;
    let mut line = Vec::new();
    while left > 0 {
        line.clear();
        let Ok(length) = file.by_ref().take(LINE.min(left)).read_until(b'\n', &mut line) else {
            break;
        };
        if length == 0 {
            break;
        }
        left -= length as u64;
        if line.last() != Some(&b'\n') {
            // Being written, or too long to be one.
            left = left.saturating_sub(skip(&mut file, left));
            if length < usize::try_from(LINE).unwrap_or(usize::MAX) {
                continue;
            }
        }
        let Some((start, size, name)) = parse(&line) else {
            continue;
        };
        for (address, found) in addresses.iter().zip(&mut names) {
            if address.wrapping_sub(start) < size {
                *found = Some(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    names
}

/// Skips the rest of a line; how long it was.
fn skip(file: &mut impl BufRead, limit: u64) -> u64 {
    let mut skipped = 0;
    while skipped < limit {
        let Ok(buffer) = file.fill_buf() else { break };
        if buffer.is_empty() {
            break;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        file.consume(length);
        skipped += length as u64;
        if end.is_some() {
            break;
        }
    }
    skipped
}

/// `START SIZE NAME`, both numbers hexadecimal.
fn parse(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let line = line.trim_ascii_end();
    let mut fields = line.splitn(3, |byte| *byte == b' ');
    let mut number = || {
        let digits = str::from_utf8(fields.next()?).ok()?;
        u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let name = fields.next()?;
    (!name.is_empty()).then_some((start, size, name))
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, repeat};

    use proptest::prelude::*;

    use super::*;

    fn found(file: &[u8], addresses: &[u64]) -> Vec<Option<String>> {
        names(file, addresses)
    }

    #[test]
    fn the_last_name_of_a_place_holds() {
        let file = b"1000 10 first\n0x1008 10 second of two\nnonsense\n2000 zz x\n3000 8 \n";
        let names = found(file, &[0x1000, 0x1008, 0x1017, 0x1018, 0x3000]);
        let second = Some("second of two".to_owned());
        assert_eq!(
            names,
            [Some("first".to_owned()), second.clone(), second, None, None]
        );
    }

    #[test]
    fn a_line_that_is_being_written_is_left_out() {
        assert_eq!(
            found(b"1000 10 whole\n2000 10 hal", &[0x1000, 0x2000]),
            [Some("whole".to_owned()), None]
        );
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_read() {
        let mut file = b"1000 10 ".to_vec();
        file.extend(vec![b'x'; 1 << 20]);
        file.extend(b"\n2000 10 next\n");
        let names = found(&file, &[0x1000, 0x2000]);
        assert_eq!(names[0].as_ref().map(|name| name.len() < 2048), Some(true));
        assert_eq!(names[1].as_deref(), Some("next"));
    }

    #[test]
    fn a_file_without_end_ends() {
        assert_eq!(names(BufReader::new(repeat(b'x')), &[1]), [None]);
        assert_eq!(names(BufReader::new(repeat(b'\n')), &[1]), [None]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(file in prop::collection::vec(any::<u8>(), 0..400), address: u64) {
            prop_assert_eq!(found(&file, &[address]).len(), 1);
        }
    }
}
