//! Reading JSON Lines: unpacked a little at a time, however much the file unpacks to.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

use super::jsonl::{Line, from_json};
use super::{ReadLimits, guarded, within};
use crate::keys::ObjectKey;
use crate::record::{Header, Record, RecordBuffer};
use crate::store::ArchiveStore;
use crate::{ArchiveError, Result};

/// What is unpacked at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Records are given out in pieces of about this many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// The largest window a file may ask the decoder to remember: 2^24 bytes.
const WINDOW_LOG: u32 = 24;

/// A file of JSON Lines in an archive.
pub struct JsonlFile {
    key: ObjectKey,
    limits: ReadLimits,
    stored: BoxStream<'static, Result<Bytes>>,
    packed: Bytes,
    decoder: Decoder<'static>,
    /// Whether the decoder stands between two frames.
    frame_ended: bool,
    /// Unpacked bytes; lines are taken from `taken` on.
    lines: Vec<u8>,
    taken: usize,
    /// Up to here there is no further end of a line.
    searched: usize,
    last_offset: i64,
    ended: bool,
}

impl std::fmt::Debug for JsonlFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonlFile")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl JsonlFile {
    pub(super) async fn open(
        store: &ArchiveStore,
        key: &ObjectKey,
        limits: ReadLimits,
    ) -> Result<Self> {
        let (_, stored) = store.stream(key).await?;
        let fault = |error: std::io::Error| ArchiveError::damaged(key, error.to_string());
        let mut decoder = Decoder::new().map_err(fault)?;
        decoder
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
            .map_err(fault)?;
        Ok(Self {
            key: key.clone(),
            limits,
            stored,
            packed: Bytes::new(),
            decoder,
            frame_ended: true,
            lines: Vec::new(),
            taken: 0,
            searched: 0,
            last_offset: i64::MIN,
            ended: false,
        })
    }

    pub(super) async fn next_batch(&mut self) -> Result<Option<RecordBuffer>> {
        let mut batch = RecordBuffer::default();
        while batch.bytes() < BATCH_BYTES {
            match self.next_line() {
                Some((from, to)) => {
                    let key = self.key.clone();
                    guarded(&key, || self.read_line(from, to, &mut batch))?;
                }
                None if self.ended => {
                    if self.taken < self.lines.len() {
                        return Err(ArchiveError::damaged(&self.key, "its last line is cut off"));
                    }
                    break;
                }
                None => self.unpack().await?,
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Where the next whole line stands.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let searched = self.searched.max(self.taken);
        let found = self.lines[searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        let Some(length) = found else {
            self.searched = self.lines.len();
            return None;
        };
        let (from, to) = (self.taken, searched + length);
        self.taken = to + 1;
        Some((from, to))
    }

    /// Unpacks a little more.
    async fn unpack(&mut self) -> Result<()> {
        self.lines.drain(..self.taken);
        self.searched = self.searched.saturating_sub(self.taken);
        self.taken = 0;
        within(
            &self.key,
            "a line's size in bytes",
            self.lines.len() as u64,
            self.limits.page_bytes,
        )?;
        if self.packed.is_empty() {
            match self.stored.next().await {
                Some(bytes) => self.packed = bytes?,
                None if self.frame_ended => self.ended = true,
                None => return Err(ArchiveError::damaged(&self.key, "it is cut off")),
            }
        }
        let mut piece = vec![0; PIECE_BYTES];
        let mut input = InBuffer::around(&self.packed);
        let mut output = OutBuffer::around(&mut piece);
        while !self.ended && input.pos() < self.packed.len() && output.pos() < PIECE_BYTES {
            let left = self.decoder.run(&mut input, &mut output);
            let left = left.map_err(|error| ArchiveError::damaged(&self.key, error.to_string()))?;
            self.frame_ended = left == 0;
            if self.frame_ended && input.pos() < self.packed.len() {
                let again = self.decoder.reinit();
                again.map_err(|error| ArchiveError::damaged(&self.key, error.to_string()))?;
            }
        }
        let (read, unpacked) = (input.pos(), output.pos());
        self.lines.extend_from_slice(&piece[..unpacked]);
        // Output that did not fit stays in the decoder: it is asked again with what is left, which may be nothing new.
        if unpacked == PIECE_BYTES && read == self.packed.len() && !self.frame_ended {
            self.drain()?;
        }
        self.packed = self.packed.slice(read..);
        Ok(())
    }

    /// Takes what the decoder still holds of input it has seen.
    fn drain(&mut self) -> Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let mut input = InBuffer::around(&[]);
            let mut output = OutBuffer::around(&mut piece);
            let left = self.decoder.run(&mut input, &mut output);
            let left = left.map_err(|error| ArchiveError::damaged(&self.key, error.to_string()))?;
            let unpacked = output.pos();
            self.lines.extend_from_slice(&piece[..unpacked]);
            self.frame_ended = left == 0;
            if unpacked < PIECE_BYTES {
                return Ok(());
            }
        }
    }

    fn read_line(&mut self, from: usize, to: usize, batch: &mut RecordBuffer) -> Result<()> {
        let fault = |detail: String| ArchiveError::damaged(&self.key, detail);
        let line: Line<'_> = serde_json::from_slice(&self.lines[from..to])
            .map_err(|error| fault(format!("a line is no record: {error}")))?;
        if line.offset <= self.last_offset {
            return Err(fault("its records are not in offset order".to_owned()));
        }
        let key = from_json(&line.key, &line.key_base64).map_err(fault)?;
        let value = from_json(&line.value, &line.value_base64).map_err(fault)?;
        let mut values = Vec::with_capacity(line.headers.len());
        for header in &line.headers {
            values.push(from_json(&header.value, &header.value_base64).map_err(fault)?);
        }
        let headers = line.headers.iter().zip(&values);
        batch.push(&Record {
            offset: line.offset,
            timestamp_ms: line.timestamp_ms,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: headers.map(|(header, value)| -> Header<'_> {
                (header.name.0.as_ref().into(), value.as_deref())
            }),
        });
        self.last_offset = line.offset;
        Ok(())
    }
}
