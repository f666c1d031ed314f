//! Waits for the ring buffer and empties it.

use std::io;

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

/// The reader's end of the ring buffer.
pub struct Reader {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl Reader {
    /// Registers the ring buffer with the runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the ring buffer owns its descriptor and gives back the same one as long as it lives.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map_err(|error| error.into_parts().1)?;
        Ok(Self { ring })
    }

    /// Waits until the kernel side asks for attention: the buffer is a quarter full. What arrives more slowly is
    /// for the caller to fetch on a tick.
    ///
    /// # Errors
    /// When waiting fails.
    pub async fn pressed(&mut self) -> io::Result<()> {
        self.ring.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// Hands out at most `limit` records; says whether more may be waiting.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(&[u8])) -> bool {
        let ring = self.ring.get_mut();
        for _ in 0..limit {
            match ring.next() {
                Some(record) => take(&record),
                None => return false,
            }
        }
        true
    }
}
