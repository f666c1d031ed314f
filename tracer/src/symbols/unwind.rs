//! From the words that the kernel took to the addresses of a stack, as far as they can be trusted. Pure.
//!
//! The kernel follows frame pointers. The function that makes the system call is usually one of the C library, which has
//! none: its return address, the call that matters most, is not in the chain but on top of the stack, where its unwind
//! table says. The chain is then checked against the tables: what a function without a frame pointer has called is known,
//! who called it is not. What looks like its caller could be anything, so that is where the stack ends.

use tracer_common::stack::WINDOW;

use super::protocol::Learned;
use crate::{ingest::stack::RawStack, model::stack::Cut};

/// How a function finds its caller, at one of its instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// Through the frame pointer.
    FramePointer,
    /// The return address lies in this word on top of the stack; `None` if that is far away.
    StackTop(Option<u8>),
    /// No table says: assembly, compiled at run time, or a C library without tables.
    Unwritten,
    /// No table says, but Go always has frame pointers, except in the function that makes the system call.
    Go,
    /// There is no code at that address.
    NoCode,
}

/// A stack, as far as it can be trusted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Addresses of the system call and of the calls that led to it: the instructions after these.
    pub addresses: Vec<u64>,
    /// Whether the call that led to the innermost function may be missing behind it.
    pub gap: bool,
    /// Why it ends.
    pub cut: Option<Cut>,
    /// Where the innermost function has its return address, if that is written.
    pub learned: Option<Learned>,
}

/// Follows a stack; `linkage` looks an address up.
pub fn walk(stack: &RawStack, mut linkage: impl FnMut(u64) -> Linkage) -> Walk {
    let mut walk = Walk::default();
    let Some((&innermost, chain)) = stack.frames.split_first() else {
        return walk;
    };
    // The instruction after the call may belong to the next function.
    let mut after_call = |address: u64| linkage(address.wrapping_sub(1));
    match after_call(innermost) {
        Linkage::NoCode => {
            walk.cut = Some(Cut::Strange);
            return walk;
        }
        Linkage::StackTop(slot) => {
            walk.addresses.push(innermost);
            let slot = slot.filter(|slot| usize::from(*slot) < WINDOW);
            walk.learned = slot.map(|slot| Learned {
                address: innermost,
                slot: Some(slot),
            });
            let caller = slot.and_then(|slot| stack.window.get(usize::from(slot)));
            // Another word is part of the identity: what lies in this one may differ from connection to connection.
            let Some(&caller) = caller.filter(|_| slot == stack.slot) else {
                walk.cut = Some(Cut::NoFramePointer);
                return walk;
            };
            if let Some(cut) = step(&mut walk.addresses, caller, &mut after_call) {
                walk.cut = Some(cut);
                return walk;
            }
        }
        linkage => {
            walk.addresses.push(innermost);
            walk.gap = linkage == Linkage::Unwritten;
            walk.learned = (linkage == Linkage::FramePointer).then_some(Learned {
                address: innermost,
                slot: None,
            });
        }
    }
    for &address in chain {
        if let Some(cut) = step(&mut walk.addresses, address, &mut after_call) {
            walk.cut = Some(cut);
            return walk;
        }
    }
    walk.cut = stack.is_full().then_some(Cut::Deep);
    walk
}

/// Takes in the next address; says why it is the last, if it is.
fn step(addresses: &mut Vec<u64>, address: u64, linkage: &mut impl FnMut(u64) -> Linkage) -> Option<Cut> {
    match linkage(address) {
        Linkage::NoCode => Some(Cut::Strange),
        Linkage::StackTop(_) => {
            addresses.push(address);
            Some(Cut::NoFramePointer)
        }
        Linkage::FramePointer | Linkage::Unwritten | Linkage::Go => {
            addresses.push(address);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{connection::ProcessId, stack::StackId, time::Time};

    /// Code at 1000..2000 has frame pointers, at 2000..3000 none, at 3000..4000 no table, at 4000..5000 Go's,
    /// elsewhere there is none.
    fn linkage(address: u64) -> Linkage {
        match address {
            1000..2000 => Linkage::FramePointer,
            2000..2100 => Linkage::StackTop(Some(0)),
            2100..2200 => Linkage::StackTop(Some(5)),
            2200..3000 => Linkage::StackTop(None),
            3000..4000 => Linkage::Unwritten,
            4000..5000 => Linkage::Go,
            _ => Linkage::NoCode,
        }
    }

    fn stack(frames: &[u64], slot: Option<u8>, words: &[(usize, u64)]) -> RawStack {
        let mut window = [77; WINDOW];
        for (index, word) in words {
            window[*index] = *word;
        }
        RawStack {
            at: Time(0),
            id: StackId(99),
            process: ProcessId {
                pid: 1,
                start: Time(1),
            },
            slot,
            window,
            frames: frames.into(),
        }
    }

    fn walked(stack: &RawStack) -> (Vec<u64>, Option<Cut>) {
        let Walk { addresses, cut, .. } = walk(stack, linkage);
        (addresses, cut)
    }

    /// Where the innermost function has its return address: the first if anything was learned, the second in a word.
    fn slot(stack: &RawStack) -> (bool, Option<u8>) {
        let learned = walk(stack, linkage).learned;
        (learned.is_some(), learned.and_then(|learned| learned.slot))
    }

    #[test]
    fn the_caller_of_a_bare_function_is_taken_from_the_top_of_the_stack() {
        let stack = stack(&[2010, 1200], Some(0), &[(0, 1100)]);
        assert_eq!(walked(&stack), (vec![2010, 1100, 1200], None));
        assert_eq!(slot(&stack), (true, Some(0)));
    }

    #[test]
    fn a_word_that_is_no_part_of_the_identity_is_not_believed() {
        let stack = stack(&[2110, 1200], Some(0), &[(5, 1100)]);
        assert_eq!(walked(&stack), (vec![2110], Some(Cut::NoFramePointer)));
        assert_eq!(slot(&stack), (true, Some(5)), "learned for the next time");
    }

    #[test]
    fn a_word_that_is_no_code_is_not_believed() {
        let stack = stack(&[2010, 1200], Some(0), &[(0, 12)]);
        assert_eq!(walked(&stack), (vec![2010], Some(Cut::Strange)));
    }

    #[test]
    fn behind_a_function_without_a_frame_pointer_nothing_is_known() {
        let caller = stack(&[2010, 1200], Some(0), &[(0, 2300)]);
        assert_eq!(walked(&caller).0, [2010, 2300]);
        assert_eq!(walked(&caller).1, Some(Cut::NoFramePointer));
        let outer = stack(&[1010, 1200, 2300, 1300], None, &[]);
        assert_eq!(
            walked(&outer),
            (vec![1010, 1200, 2300], Some(Cut::NoFramePointer))
        );
        assert_eq!(slot(&outer), (true, None), "it has a frame");
    }

    #[test]
    fn without_tables_the_chain_is_believed() {
        let stack = stack(&[3010, 3020, 3030], Some(0), &[(0, 3015)]);
        assert_eq!(walked(&stack), (vec![3010, 3020, 3030], None));
        assert_eq!(slot(&stack), (false, None));
    }

    #[test]
    fn whether_a_call_is_missing_is_said() {
        let is_missing = |frames: &[u64]| walk(&stack(frames, None, &[]), linkage).gap;
        assert!(is_missing(&[3010, 1020]), "who knows whether that has a frame");
        assert!(!is_missing(&[4010, 4020]), "Go skips only its own");
        assert!(!is_missing(&[1010, 3020]));
    }

    #[test]
    fn what_is_no_code_ends_a_stack() {
        assert_eq!(walked(&stack(&[5], Some(0), &[])), (vec![], Some(Cut::Strange)));
        assert_eq!(walked(&stack(&[1010, 9, 1020], Some(0), &[])).0, [1010]);
    }

    #[test]
    fn a_return_address_belongs_to_the_call_before_it() {
        // The call is the last instruction of the code at 1000..2000.
        assert_eq!(
            walked(&stack(&[1010, 2000, 1020], Some(0), &[])).0,
            [1010, 2000, 1020]
        );
    }

    #[test]
    fn a_full_stack_may_go_on() {
        let deep = stack(&[1010; 64], Some(0), &[]);
        assert_eq!(walked(&deep).1, Some(Cut::Deep));
    }
}
