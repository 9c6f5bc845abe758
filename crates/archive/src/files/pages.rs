//! What the pages of a column chunk claim, read before any of them is unpacked.
//!
//! A page's header says how large the page will be, and a decoder believes it. Headers are in Thrift's compact protocol; only the
//! few numbers that cost memory are taken from them, the rest is passed over.

/// What one page asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PageClaim {
    pub(super) unpacked_bytes: u64,
    pub(super) stored_bytes: u64,
    pub(super) values: u64,
}

/// The largest page of a chunk, and all values of its data pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ChunkClaim {
    pub(super) largest_page: u64,
    pub(super) values: u64,
}

/// How deep a header may nest; its own form nests twice.
const MAX_DEPTH: u32 = 8;

/// Goes through the pages of a chunk.
///
/// # Errors
/// A sentence when the bytes are no sequence of pages.
pub(super) fn claims(chunk: &[u8]) -> Result<ChunkClaim, &'static str> {
    let mut claim = ChunkClaim::default();
    let mut rest = chunk;
    while !rest.is_empty() {
        let mut thrift = Thrift { rest };
        let page = thrift.page()?;
        claim.largest_page = claim.largest_page.max(page.unpacked_bytes);
        claim.values = claim.values.saturating_add(page.values);
        let stored = usize::try_from(page.stored_bytes).map_err(|_size| "a page is too large")?;
        rest = thrift
            .rest
            .get(stored..)
            .ok_or("a page goes beyond its column")?;
    }
    Ok(claim)
}

struct Thrift<'a> {
    rest: &'a [u8],
}

const TRUNCATED: &str = "a page's header is cut off";

/// The types of the compact protocol.
mod kind {
    pub(super) const STOP: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I32: u8 = 5;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const STRUCT: u8 = 12;
}

impl Thrift<'_> {
    /// Reads a `PageHeader`.
    fn page(&mut self) -> Result<PageClaim, &'static str> {
        let mut page = PageClaim::default();
        let mut last = 0;
        while let Some((field, kind)) = self.field(last)? {
            last = field;
            match (field, kind) {
                (2, kind::I32) => page.unpacked_bytes = self.size()?,
                (3, kind::I32) => page.stored_bytes = self.size()?,
                // The headers of a data page, a dictionary page and a data page of the second version.
                (5 | 7 | 8, kind::STRUCT) => page.values = self.values()?,
                (_, kind) => self.skip(kind, 0)?,
            }
        }
        Ok(page)
    }

    /// Reads the struct whose first field counts the page's values.
    fn values(&mut self) -> Result<u64, &'static str> {
        let (mut values, mut last) = (0, 0);
        while let Some((field, kind)) = self.field(last)? {
            last = field;
            match (field, kind) {
                (1, kind::I32) => values = self.size()?,
                (_, kind) => self.skip(kind, 0)?,
            }
        }
        Ok(values)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        let (byte, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number in a page's header is too long")
    }

    fn signed(&mut self) -> Result<i64, &'static str> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn size(&mut self) -> Result<u64, &'static str> {
        u64::try_from(self.signed()?).map_err(|_negative| "a page has a negative size")
    }

    /// The next field's number and type; none at the end of the struct.
    fn field(&mut self, last: i64) -> Result<Option<(i64, u8)>, &'static str> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if kind == kind::STOP {
            return Ok(None);
        }
        let delta = i64::from(byte >> 4);
        let field = if delta == 0 {
            self.signed()?
        } else {
            last.saturating_add(delta)
        };
        Ok(Some((field, kind)))
    }

    fn pass(&mut self, bytes: u64) -> Result<(), &'static str> {
        let bytes = usize::try_from(bytes).map_err(|_size| TRUNCATED)?;
        self.rest = self.rest.get(bytes..).ok_or(TRUNCATED)?;
        Ok(())
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Result<(), &'static str> {
        if depth > MAX_DEPTH {
            return Err("a page's header nests too deep");
        }
        match kind {
            kind::TRUE | kind::FALSE => Ok(()),
            kind::BYTE => self.pass(1),
            kind::I16 | kind::I32 | kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.pass(8),
            kind::BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            kind::LIST | kind::SET => self.skip_list(depth),
            kind::STRUCT => {
                let mut last = 0;
                while let Some((field, kind)) = self.field(last)? {
                    last = field;
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            _ => Err("a page's header has a field of a type that none has"),
        }
    }

    fn skip_list(&mut self, depth: u32) -> Result<(), &'static str> {
        let head = self.byte()?;
        let short = u64::from(head >> 4);
        let items = if short == 15 { self.varint()? } else { short };
        if items > self.rest.len() as u64 {
            return Err(TRUNCATED);
        }
        let kind = head & 0x0f;
        for _ in 0..items {
            // Inside a list a truth value takes a byte.
            let kind = if matches!(kind, kind::TRUE | kind::FALSE) {
                kind::BYTE
            } else {
                kind
            };
            self.skip(kind, depth + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A data page's header: type 0, 2,000,000,000 unpacked, 3 stored, 5 values; then three bytes.
    const PAGE: [u8; 24] = [
        0x15, 0x00, 0x15, 0x80, 0xd0, 0xac, 0xf3, 0x0e, 0x15, 0x06, 0x2c, 0x15, 0x0a, 0x15, 0x00,
        0x15, 0x06, 0x15, 0x06, 0x00, 0x00, 1, 2, 3,
    ];

    #[test]
    fn a_page_that_claims_gigabytes_is_seen_before_it_is_unpacked() {
        let two = [PAGE, PAGE].concat();
        let claim = claims(&two).unwrap();
        assert_eq!((claim.largest_page, claim.values), (2_000_000_000, 10));
        assert!(claims(&two[..40]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_linger(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = claims(&bytes);
        }

        #[test]
        fn a_changed_header_is_read_or_refused(at in 0..PAGE.len(), byte in any::<u8>()) {
            let mut page = PAGE;
            page[at] = byte;
            let _ = claims(&page);
        }
    }
}
