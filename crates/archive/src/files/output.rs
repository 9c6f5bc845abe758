//! The bytes of a file in the making. They lie in pieces that stay where they are: one piece that grows would be copied over and over, each
//! time into memory that the system has to clear first, and would take up to twice its size.

use std::io;

use object_store::{PutPayload, PutPayloadMut};

/// Pieces are at least so long.
const PIECE_BYTES: usize = 64 << 10;

/// What an encoder writes into.
#[derive(Debug)]
pub(super) struct Output(PutPayloadMut);

impl Output {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self(PutPayloadMut::new().with_block_size(PIECE_BYTES))
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.0.content_length()
    }

    /// About how much memory so many bytes take here.
    pub(super) fn memory_of(bytes: usize) -> usize {
        match bytes {
            0 => 0,
            bytes => bytes + PIECE_BYTES,
        }
    }

    /// All of it.
    pub(super) fn finish(self) -> PutPayload {
        self.0.freeze()
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
