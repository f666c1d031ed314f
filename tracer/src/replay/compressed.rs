//! Recordings that are compressed with zstd (RFC 8878): frames, one after the other.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

/// The first bytes of a frame (RFC 8878, 3.1.1).
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What the frames hold. The decoder refuses windows of more than 128 MiB, so a file cannot ask for more memory.
pub struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether a frame is under way.
    is_inside: bool,
}

impl<R: BufRead> Frames<R> {
    /// At the beginning of the first one.
    pub fn new(source: R) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            is_inside: false,
        }
    }

    /// Goes on to the next frame; whether there is one.
    fn enter(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.is_inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(false)
    }

    /// A frame that ends with the file was cut off: nothing else is wrong with it.
    fn failed(&mut self, error: &FrameDecoderError) -> io::Error {
        match self.source.fill_buf() {
            Ok(rest) if rest.is_empty() => io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => io::Error::new(
                io::ErrorKind::InvalidData,
                format!("its compression is damaged ({error})"),
            ),
            Err(error) => error,
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) where the last frame is cut off; all before that was given.
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.decoder.read(block)?;
            if length > 0 || block.is_empty() {
                return Ok(length);
            }
            if self.is_inside && !self.decoder.is_finished() {
                let step = BlockDecodingStrategy::UptoBlocks(1);
                if let Err(error) = self.decoder.decode_blocks(&mut self.source, step) {
                    return Err(self.failed(&error));
                }
            } else if !self.enter()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn frame(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn read(bytes: &[u8]) -> (Vec<u8>, io::Result<()>) {
        let mut all = Vec::new();
        let end = Frames::new(bytes).read_to_end(&mut all).map(drop);
        (all, end)
    }

    #[test]
    fn frames_are_one_text_and_what_is_to_be_skipped_is_skipped() {
        let mut file = frame(b"one\n");
        // A skippable frame of three bytes (RFC 8878, 3.1.2).
        file.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        file.extend(frame(b"two\n"));
        let (text, end) = read(&file);
        assert_eq!(text, b"one\ntwo\n");
        end.unwrap();
    }

    #[test]
    fn wherever_it_is_cut_off_nothing_else_is_wrong() {
        let text: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
        let file = frame(&text);
        let mut given = 0;
        for cut in [5, 100, file.len() / 2, file.len() - 1] {
            let (before, end) = read(&file[..cut]);
            assert!(text.starts_with(&before), "{cut}");
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{cut}");
            assert!(before.len() >= given, "{cut}");
            given = before.len();
        }
        assert!(given > 0, "whole blocks are given");
    }

    #[test]
    fn damage_is_told() {
        let mut file = frame(b"text");
        file.extend(b"and then something else");
        let (text, end) = read(&file);
        assert_eq!(text, b"text");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
