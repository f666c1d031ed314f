//! Decodes the records of stacks. Pure, and never panics.

use bytes::{Buf as _, TryGetError};
use tracer_common::{
    event::{KIND_OFFSET, kind},
    stack::{FIRST_ID, MAX_FRAMES, NO_SLOT, SLOTS, StackRecord, WINDOW},
};

use super::decode::DecodeError;
use crate::model::{connection::ProcessId, stack::StackId, time::Time};

/// A stack as the kernel saw it: addresses in the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawStack {
    /// When it was first told.
    pub at: Time,
    /// Which.
    pub id: StackId,
    /// Whose.
    pub process: ProcessId,
    /// The word of the window that its identity depends on, if any: were it another one, the id would be.
    pub slot: Option<u8>,
    /// The words on top of the stack.
    pub window: [u64; WINDOW],
    /// The instruction after the system call, then what the chain of frame pointers leads to: never empty.
    pub frames: Box<[u64]>,
}

impl RawStack {
    /// Where the instruction after the system call lies in its page.
    pub fn offset(&self) -> u64 {
        self.frames
            .first()
            .map_or(0, |address| address % u64::from(SLOTS))
    }

    /// Whether there may be frames beyond the last.
    pub fn is_full(&self) -> bool {
        self.frames.len() >= MAX_FRAMES
    }
}

/// Whether a record tells a stack.
pub fn is_stack(record: &[u8]) -> bool {
    record.get(KIND_OFFSET) == Some(&kind::STACK)
}

/// Decodes a record that [tells a stack](is_stack).
///
/// # Errors
/// When the bytes are none that the kernel programs write.
pub fn decode_stack(record: &[u8]) -> Result<RawStack, DecodeError> {
    let length = record.len();
    let mut rest = record;
    let stack = read(&mut rest).unwrap_or(Err(DecodeError::Truncated { length }))?;
    match rest.len() {
        0 => Ok(stack),
        extra => Err(DecodeError::TooLong { extra }),
    }
}

/// Reads the fields in the order of [`StackRecord`]; the outer error is "too short".
fn read(record: &mut &[u8]) -> Result<Result<RawStack, DecodeError>, TryGetError> {
    let at = Time(record.try_get_u64_ne()?);
    let id = record.try_get_u64_ne()?;
    let kind = record.try_get_u8()?;
    let slot = record.try_get_u8()?;
    let count = usize::from(record.try_get_u16_ne()?);
    let pid = record.try_get_u32_ne()?;
    let start = Time(record.try_get_u64_ne()?);
    let mut window = [0; WINDOW];
    for word in &mut window {
        *word = record.try_get_u64_ne()?;
    }
    if kind != kind::STACK {
        return Ok(Err(DecodeError::Kind(kind)));
    }
    if id < FIRST_ID || !(1..=MAX_FRAMES).contains(&count) {
        return Ok(Err(DecodeError::Stack));
    }
    if slot != NO_SLOT && usize::from(slot) >= WINDOW {
        return Ok(Err(DecodeError::Stack));
    }
    let mut frames = Vec::with_capacity(count);
    for _ in 0..count {
        frames.push(record.try_get_u64_ne()?);
    }
    Ok(Ok(RawStack {
        at,
        id: StackId(id),
        process: ProcessId { pid, start },
        slot: (slot != NO_SLOT).then_some(slot),
        window,
        frames: frames.into(),
    }))
}

const _: () = {
    // The reads above follow the declaration field by field.
    assert!(size_of::<StackRecord>() == 8 + 8 + 1 + 1 + 2 + 4 + 8 + 8 * WINDOW + 8 * MAX_FRAMES);
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracer_common::stack::HEAD;
    use zerocopy::{FromZeros as _, IntoBytes as _};

    use super::*;

    fn record(count: u16, slot: u8) -> StackRecord {
        let mut record = StackRecord::new_zeroed();
        record.ts = 1;
        record.id = 0x1112_1314_1516_1718;
        record.kind = kind::STACK;
        record.slot = slot;
        record.count = count;
        record.tgid = 77;
        record.start = 88;
        for (word, number) in record.window.iter_mut().zip(100..) {
            *word = number;
        }
        for (frame, number) in record.frames.iter_mut().zip(1000..) {
            *frame = number;
        }
        record
    }

    fn bytes(record: &StackRecord, frames: usize) -> Vec<u8> {
        record.as_bytes().get(..HEAD + 8 * frames).unwrap().to_vec()
    }

    #[test]
    fn every_field_arrives_in_its_place() {
        let sample = record(3, 5);
        assert!(is_stack(sample.as_bytes()));
        let stack = decode_stack(&bytes(&sample, 3)).unwrap();
        assert_eq!(stack.id, StackId(0x1112_1314_1516_1718));
        assert_eq!(
            stack.process,
            ProcessId {
                pid: 77,
                start: Time(88)
            }
        );
        assert_eq!(stack.slot, Some(5));
        assert_eq!(stack.window, std::array::from_fn(|index| 100 + index as u64));
        assert_eq!(*stack.frames, [1000, 1001, 1002]);
        assert!(!stack.is_full());
        let deepest = decode_stack(&bytes(&record(64, NO_SLOT), 64)).unwrap();
        assert!(deepest.is_full());
        assert_eq!(deepest.slot, None);
    }

    #[test]
    fn what_the_programs_do_not_write_is_rejected() {
        let reject = |record: StackRecord, frames| decode_stack(&bytes(&record, frames)).unwrap_err();
        assert_eq!(reject(record(0, 0), 0), DecodeError::Stack, "no frames");
        assert_eq!(reject(record(65, 0), 64), DecodeError::Stack, "too many");
        assert_eq!(reject(record(1, 16), 1), DecodeError::Stack, "beyond the window");
        let reserved = StackRecord {
            id: FIRST_ID - 1,
            ..record(1, 0)
        };
        assert_eq!(reject(reserved, 1), DecodeError::Stack, "a reason is no id");
        assert_eq!(reject(record(1, 0), 2), DecodeError::TooLong { extra: 8 });
        assert_eq!(
            reject(record(2, 0), 1),
            DecodeError::Truncated { length: HEAD + 8 }
        );
        let other = StackRecord {
            kind: 1,
            ..record(1, 0)
        };
        assert_eq!(reject(other, 1), DecodeError::Kind(1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..800)) {
            let _: Result<RawStack, DecodeError> = decode_stack(&bytes);
        }
    }
}
