//! Bytes with line numbers: a fixed buffer over a reader, line ends made equal, a little lookahead.

use std::io::{self, Read};

/// Bytes held at a time.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Source<R> {
    reader: R,
    buffer: Box<[u8]>,
    /// What is held and not yet taken: `buffer[start..end]`.
    start: usize,
    end: usize,
    ended: bool,
    /// The line of the next byte, counting from 1.
    pub(super) line: u64,
    /// Whether the next byte is the first of its line.
    pub(super) at_line_start: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            ended: false,
            line: 1,
            at_line_start: true,
        }
    }

    /// The next bytes, up to `count` of them, fewer only at the end. `count` must be far below the buffer's size.
    pub(super) fn lookahead(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && !self.ended {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(free) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        Ok(held.get(..count).unwrap_or(held))
    }

    /// The next byte; every line end, `\r\n` and a lone `\r` too, is one `\n`.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        if let Some(&byte) = self
            .buffer
            .get(self.start..self.end)
            .and_then(<[u8]>::first)
            && byte != b'\r'
        {
            return Ok(Some(byte));
        }
        Ok(match *self.lookahead(2)? {
            [] => None,
            [b'\r', b'\n'] => {
                self.start += 1;
                Some(b'\n')
            }
            [b'\r', ..] => Some(b'\n'),
            [byte, ..] => Some(byte),
        })
    }

    /// Takes the byte that [`Self::peek`] has shown.
    pub(super) fn take(&mut self, byte: u8) {
        self.start += 1;
        self.at_line_start = byte == b'\n';
        self.line += u64::from(self.at_line_start);
    }

    /// Takes the next byte.
    pub(super) fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.take(byte);
        }
        Ok(byte)
    }

    /// Takes the rest of the line without its end.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        while let Some(byte) = self.peek()? {
            if byte == b'\n' {
                break;
            }
            self.take(byte);
        }
        Ok(())
    }
}
