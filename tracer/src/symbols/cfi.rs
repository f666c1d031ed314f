//! Unwind tables (`.eh_frame`): how the code at an address finds its caller. Pure: bytes in, rules out.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, NativeEndian, Register, UnwindContext,
    UnwindSection as _, X86_64,
};

use super::unwind::Linkage;

/// Bytes of a word.
const WORD: i64 = 8;

/// The tables of one ELF file: their bytes, and where these are mapped.
pub struct Tables<'data> {
    /// `.eh_frame_hdr`; programs that are linked statically may lack it.
    pub index: Option<(&'data [u8], u64)>,
    /// `.eh_frame`.
    pub frames: (&'data [u8], u64),
    /// Address of `.text`.
    pub text: u64,
}

impl Tables<'_> {
    /// How the instruction at this address of the file finds its caller; `None` if nothing says.
    pub fn linkage(&self, address: u64) -> Option<Linkage> {
        let mut bases = BaseAddresses::default()
            .set_eh_frame(self.frames.1)
            .set_text(self.text);
        let frames = EhFrame::new(self.frames.0, NativeEndian);
        let cie = EhFrame::<EndianSlice<'_, _>>::cie_from_offset;
        let mut context = UnwindContext::new();
        let row = match self.index {
            Some((index, at)) => {
                bases = bases.set_eh_frame_hdr(at);
                let index = EhFrameHdr::new(index, NativeEndian).parse(&bases, 8).ok()?;
                index
                    .table()?
                    .unwind_info_for_address(&frames, &bases, &mut context, address, cie)
                    .cloned()
            }
            None => frames
                .unwind_info_for_address(&bases, &mut context, address, cie)
                .cloned(),
        };
        match *row.ok()?.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => linkage(register, offset),
            // The stubs of the procedure linkage table, and functions that align their stack.
            CfaRule::Expression(_) => Some(Linkage::StackTop(None)),
        }
    }
}

/// The return address lies one word below the frame's address (`System V ABI, AMD64`, §3.4).
fn linkage(register: Register, offset: i64) -> Option<Linkage> {
    match register {
        X86_64::RBP => Some(Linkage::FramePointer),
        X86_64::RSP => {
            let word = offset.checked_sub(WORD)? / WORD;
            Some(Linkage::StackTop(u8::try_from(word).ok()))
        }
        // Computed; `main` does so in 32-bit code.
        _ => Some(Linkage::StackTop(None)),
    }
}
