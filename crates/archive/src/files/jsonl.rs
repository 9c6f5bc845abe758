//! JSON Lines: one object a record, compressed by zstd. Nothing is lost: bytes that are no UTF-8 stand as base64 in a field of
//! their own.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use object_store::PutPayload;
use serde::{Deserialize, Serialize};
use zstd::stream::write::Encoder;

use super::FileOptions;
use super::output::Output;
use crate::columns::BodyColumns;
use crate::record::{Header, Record};
use crate::{ArchiveError, Result};

/// A record as a line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    #[serde(borrow)]
    pub(super) key: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) key_base64: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) headers: Vec<HeaderLine<'a>>,
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) value_base64: Option<Text<'a>>,
    #[serde(borrow)]
    event_id: Option<Text<'a>>,
    #[serde(borrow)]
    event_type: Option<Text<'a>>,
    #[serde(borrow)]
    game_id: Option<Text<'a>>,
    occurred_at_ms: Option<i64>,
    schema_version: Option<i32>,
}

/// A header in a line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HeaderLine<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) value_base64: Option<Text<'a>>,
}

/// A text, borrowed where JSON needs no escape.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Bytes as a text, or else as base64.
fn in_json(bytes: Option<&[u8]>) -> (Option<Text<'_>>, Option<Text<'_>>) {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_binary| bytes)) {
        None => (None, None),
        Some(Ok(text)) => (Some(Text(text.into())), None),
        Some(Err(bytes)) => (None, Some(Text(BASE64.encode(bytes).into()))),
    }
}

/// The bytes of a text or of base64.
pub(super) fn from_json<'a>(
    text: &'a Option<Text<'_>>,
    base64: &Option<Text<'_>>,
) -> Result<Option<Cow<'a, [u8]>>, String> {
    match (text, base64) {
        (None, None) => Ok(None),
        (Some(Text(text)), None) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
        (None, Some(Text(text))) => match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
            Err(error) => Err(format!("base64: {error}")),
        },
        (Some(_), Some(_)) => Err("a value stands twice".to_owned()),
    }
}

/// A file of lines in the making.
pub(super) struct JsonlWriter {
    partition: i32,
    line: Vec<u8>,
    encoder: Encoder<'static, Output>,
    /// Bytes given to the encoder since it last gave some back.
    waiting: usize,
    written: usize,
}

impl std::fmt::Debug for JsonlWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonlWriter")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// What an encoder of these levels takes beside its output.
const ENCODER_BYTES: usize = 8 << 20;

fn failed(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Encode {
        reason: error.to_string(),
    }
}

impl JsonlWriter {
    pub(super) fn new(options: &FileOptions) -> Result<Self> {
        let mut encoder = Encoder::new(Output::new(), options.zstd_level).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        Ok(Self {
            partition: options.chain.partition,
            line: Vec::new(),
            encoder,
            waiting: 0,
            written: 0,
        })
    }

    pub(super) fn push<'h>(
        &mut self,
        record: &Record<'_, impl Iterator<Item = Header<'h>> + Clone>,
    ) -> Result<()> {
        let columns = BodyColumns::read(record.value);
        let (key, key_base64) = in_json(record.key);
        let (value, value_base64) = in_json(record.value);
        let header = |(name, value): Header<'h>| {
            let (value, value_base64) = in_json(value);
            HeaderLine {
                name: Text(name),
                value,
                value_base64,
            }
        };
        let line = Line {
            partition: self.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key,
            key_base64,
            headers: record.headers.clone().map(header).collect(),
            value,
            value_base64,
            event_id: columns.event_id.map(Text),
            event_type: columns.event_type.map(Text),
            game_id: columns.game_id.map(Text),
            occurred_at_ms: columns.occurred_at_ms,
            schema_version: columns.schema_version,
        };
        self.line.clear();
        serde_json::to_writer(&mut self.line, &line).map_err(failed)?;
        self.line.push(b'\n');
        self.encoder.write_all(&self.line).map_err(failed)?;
        self.waiting += self.line.len();
        if self.encoder.get_ref().len() > self.written {
            self.written = self.encoder.get_ref().len();
            self.waiting = 0;
        }
        Ok(())
    }

    pub(super) fn encoded_bytes(&self) -> usize {
        self.written + self.waiting / 4
    }

    pub(super) fn memory_bytes(&self) -> usize {
        Output::memory_of(self.encoder.get_ref().len()) + self.line.capacity() + ENCODER_BYTES
    }

    pub(super) fn finish(self) -> Result<PutPayload> {
        self.encoder.finish().map(Output::finish).map_err(failed)
    }
}
