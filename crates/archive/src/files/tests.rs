//! Both forms of a file: nothing is lost on the way through, stored files stay readable, hostile ones are named.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::keys::{LogMark, RawFileName, RawFolder, Region, TopicId, TopicName};

pub(crate) fn chain() -> ChainId {
    ChainId {
        topic: TopicName::parse("game-events").unwrap(),
        topic_id: TopicId::parse("Zm9vYmFyYmF6cXV4cXV1eA").unwrap(),
        partition: 7,
    }
}

fn options(format: FileFormat) -> FileOptions {
    FileOptions {
        format,
        zstd_level: 1,
        chain: chain(),
    }
}

const BOTH: [FileFormat; 2] = [FileFormat::Parquet, FileFormat::Jsonl];

/// A record that owns its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Owned {
    fn of(record: &Record<'_>) -> Self {
        let headers = record.headers.clone();
        Self {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }

    fn plain(offset: i64, key: &str, value: &str) -> Self {
        Self {
            offset,
            timestamp_ms: Some(1_795_255_200_000 + offset),
            key: Some(key.into()),
            value: Some(value.into()),
            headers: vec![("region".to_owned(), Some("eu".into()))],
        }
    }
}

fn written(records: &[Owned], format: FileFormat) -> EncodedFile {
    let mut writer = FileWriter::new(&options(format)).unwrap();
    for record in records {
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_deref()));
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let (offset, timestamp_ms) = (record.offset, record.timestamp_ms);
        writer
            .push(&Record {
                offset,
                timestamp_ms,
                key,
                value,
                headers,
            })
            .unwrap();
    }
    writer.finish().unwrap()
}

fn key(format: FileFormat) -> ObjectKey {
    let id = chain();
    let (start, end, writer, attempt) = (0, 9, Uuid::nil(), 1);
    let (partition, log) = (id.partition, LogMark::of(&id.topic_id));
    let name = RawFileName {
        partition,
        start,
        end,
        log,
        writer,
        attempt,
        format,
    };
    name.in_folder(&RawFolder::of(Region::other(), None).key(&id.topic))
}

struct Stored {
    store: ArchiveStore,
    key: ObjectKey,
    bytes: u64,
}

async fn stored(bytes: Bytes, format: FileFormat) -> Stored {
    // Whatever the store: these are about bytes.
    let store = ArchiveStore::over(Arc::new(InMemory::new()), "memory:");
    let (key, size) = (key(format), bytes.len() as u64);
    store.put(&key, bytes).await.unwrap();
    Stored {
        store,
        key,
        bytes: size,
    }
}

impl Stored {
    async fn open(&self, limits: ReadLimits) -> Result<FileReader> {
        FileReader::open(&self.store, &self.key, self.bytes, limits).await
    }

    async fn read(&self, limits: ReadLimits) -> Result<Vec<Owned>> {
        read_all(self.open(limits).await?).await
    }
}

async fn read_all(mut reader: FileReader) -> Result<Vec<Owned>> {
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch().await? {
        records.extend(batch.records().map(|record| Owned::of(&record)));
    }
    Ok(records)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        Just(None),
        "\\PC{0,40}".prop_map(|text| Some(text.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(Some),
        Just(Some(
            br#"{"gameId":"g-1","eventId":"e","eventType":"MoveMade","schemaVersion":1}"#.to_vec()
        )),
    ]
}

fn records() -> impl Strategy<Value = Vec<Owned>> {
    let headers = proptest::collection::vec(("\\PC{0,8}", bytes()), 0..4);
    let one = (1..5_i64, any::<Option<i64>>(), bytes(), bytes(), headers);
    proptest::collection::vec(one, 1..50).prop_map(|parts| {
        let mut next = 0;
        let records = parts
            .into_iter()
            .map(|(step, timestamp_ms, key, value, headers)| {
                next += step;
                Owned {
                    offset: next,
                    timestamp_ms,
                    key,
                    value,
                    headers,
                }
            });
        records.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_come_out_as_they_went_in(records in records()) {
        for format in BOTH {
            let file = written(&records, format);
            prop_assert_eq!(file.rows, records.len() as u64);
            prop_assert_eq!(file.min_offset, records[0].offset);
            prop_assert_eq!(file.max_offset, records[records.len() - 1].offset);
            let read = block_on(async { stored(file.bytes.into(), format).await.read(ReadLimits::default()).await });
            prop_assert_eq!(&read.unwrap(), &records);
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_or_reads_the_same_but_never_a_panic(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let records: Vec<Owned> = (0..200).map(|n| Owned::plain(n, &format!("g-{}", n % 7), &"x".repeat(50))).collect();
        for format in BOTH {
            let mut bytes = Bytes::from(written(&records, format).bytes).to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if cut {
                bytes.truncate(at);
            }
            let limits = ReadLimits { footer_bytes: 1 << 20, row_group_bytes: 1 << 20, page_bytes: 1 << 20, chunk_values: 1 << 16 };
            let read = block_on(async { stored(bytes.into(), format).await.read(limits).await });
            if let Err(error) = read {
                prop_assert!(error.is_damage(), "{error}");
                prop_assert!(error.to_string().contains("00007-"), "{error}");
            }
        }
    }
}

const GOLDEN_PARQUET: &[u8] = include_bytes!("../../fixtures/records.v1.parquet");
const GOLDEN_JSONL: &[u8] = include_bytes!("../../fixtures/records.v1.jsonl.zst");

/// The records in the golden files.
fn golden() -> Vec<Owned> {
    let event = r#"{"eventId":"e-1","eventType":"MoveMade","schemaVersion":1,"gameId":"g-1","occurredAt":"2026-11-21T10:00:00.123Z","region":"eu","payload":{"moveNumber":1}}"#;
    let mut records = vec![
        Owned::plain(3, "g-1", event),
        Owned::plain(4, "g-2", "poison"),
    ];
    records.push(Owned {
        offset: 7,
        timestamp_ms: None,
        key: None,
        value: None,
        headers: vec![],
    });
    records.push(Owned {
        offset: 8,
        timestamp_ms: Some(-1),
        key: Some(vec![0xff, 0]),
        value: Some(vec![]),
        headers: vec![
            ("a".into(), None),
            ("a".into(), Some(vec![0xfe])),
            (String::new(), Some(vec![])),
        ],
    });
    records
}

#[tokio::test]
async fn files_of_the_first_version_stay_readable() {
    for (format, bytes) in [
        (FileFormat::Parquet, GOLDEN_PARQUET),
        (FileFormat::Jsonl, GOLDEN_JSONL),
    ] {
        let stored = stored(Bytes::from_static(bytes), format).await;
        assert_eq!(
            stored.read(ReadLimits::default()).await.unwrap(),
            golden(),
            "{format:?}"
        );
    }
}

/// Writes the golden files anew, for a new version of the form: `GOLDEN=write cargo test -p archive golden_files`.
#[test]
fn golden_files_are_written_only_on_demand() {
    if std::env::var("GOLDEN").is_ok_and(|wish| wish == "write") {
        let path = |suffix: &str| {
            format!(
                "{}/fixtures/records.v1.{suffix}",
                env!("CARGO_MANIFEST_DIR")
            )
        };
        for format in BOTH {
            std::fs::write(
                path(format.suffix()),
                Bytes::from(written(&golden(), format).bytes),
            )
            .unwrap();
        }
        std::fs::write(path("jsonl"), unpacked_lines()).unwrap();
        std::fs::write(path("schema"), printed_schema()).unwrap();
    }
}

fn unpacked_lines() -> String {
    let packed = Bytes::from(written(&golden(), FileFormat::Jsonl).bytes);
    String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap()
}

fn printed_schema() -> String {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let file =
        SerializedFileReader::new(Bytes::from(written(&golden(), FileFormat::Parquet).bytes))
            .unwrap();
    let mut text = Vec::new();
    parquet::schema::printer::print_schema(&mut text, file.metadata().file_metadata().schema());
    String::from_utf8(text).unwrap()
}

#[test]
fn the_form_of_json_lines_is_a_contract() {
    assert_eq!(
        unpacked_lines(),
        include_str!("../../fixtures/records.v1.jsonl")
    );
}

#[test]
fn the_columns_of_parquet_are_a_contract() {
    assert_eq!(
        printed_schema(),
        include_str!("../../fixtures/records.v1.schema")
    );
}

#[tokio::test]
async fn many_row_groups_are_read_and_passed_over_by_offset_and_key() {
    let records: Vec<Owned> = (0..200_000)
        .map(|n| Owned::plain(n, &format!("g-{}", n / 60), "{}"))
        .collect();
    let stored = stored(
        written(&records, FileFormat::Parquet).bytes.into(),
        FileFormat::Parquet,
    )
    .await;
    assert_eq!(stored.read(ReadLimits::default()).await.unwrap(), records);

    let mut from = stored.open(ReadLimits::default()).await.unwrap();
    from.skip_below(180_000);
    let read = read_all(from).await.unwrap();
    assert!(
        read.len() < 70_000 && read.last() == records.last(),
        "{}",
        read.len()
    );

    let mut one = stored.open(ReadLimits::default()).await.unwrap();
    one.keep_key(b"g-2000").await.unwrap();
    let read = read_all(one).await.unwrap();
    let game = |record: &&Owned| record.key.as_deref() == Some(b"g-2000");
    assert_eq!(read.iter().filter(game).count(), 60);
    assert!(read.len() < 70_000, "{}", read.len());

    let mut none = stored.open(ReadLimits::default()).await.unwrap();
    none.keep_key(b"g-2000x").await.unwrap();
    assert_eq!(read_all(none).await.unwrap().len() / 66_000, 0);
}

#[tokio::test]
async fn large_records_do_not_share_pages_with_many() {
    let big = "x".repeat(3 << 20);
    let records: Vec<Owned> = (0..40).map(|n| Owned::plain(n, "g", &big)).collect();
    for format in BOTH {
        let file = written(&records, format);
        // A page outgrows its limit by one small batch: one such record.
        let limits = ReadLimits {
            page_bytes: 5 << 20,
            ..ReadLimits::default()
        };
        let read = stored(file.bytes.into(), format)
            .await
            .read(limits)
            .await
            .unwrap();
        assert_eq!(read.len(), 40, "{format:?}");
    }
}

#[tokio::test]
async fn a_bomb_is_named_before_it_goes_off() {
    let limits = ReadLimits {
        page_bytes: 1 << 20,
        ..ReadLimits::default()
    };
    let records = [Owned::plain(0, "g", &"0".repeat(200 << 20))];
    let parquet = stored(
        written(&records, FileFormat::Parquet).bytes.into(),
        FileFormat::Parquet,
    )
    .await;
    assert!(parquet.bytes < 100_000, "{}", parquet.bytes);
    let error = parquet.read(limits).await.unwrap_err();
    assert!(
        matches!(
            error,
            ArchiveError::TooLarge {
                what: "a page's unpacked size in bytes",
                ..
            }
        ),
        "{error}"
    );

    let zeros = zstd::encode_all(std::io::repeat(b'0').take(1 << 30), 1).unwrap();
    let jsonl = stored(zeros.into(), FileFormat::Jsonl).await;
    let error = jsonl.read(limits).await.unwrap_err();
    assert!(
        matches!(
            error,
            ArchiveError::TooLarge {
                what: "a line's size in bytes",
                ..
            }
        ),
        "{error}"
    );
}

use std::io::Read as _;

#[tokio::test]
async fn a_footer_that_is_cut_or_lies_is_named() {
    let whole = Bytes::from(written(&golden(), FileFormat::Parquet).bytes);
    let mut long = whole.to_vec();
    let length = long.len();
    long[length - 8..length - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut other = whole.to_vec();
    other[length - 1] = b'2';
    for (said, bytes) in [
        ("does not end", whole.slice(..length - 5)),
        ("footer's size", long.into()),
        ("does not end", other.into()),
        ("too short", Bytes::from_static(b"PAR1PAR1")),
    ] {
        let error = stored(bytes, FileFormat::Parquet)
            .await
            .read(ReadLimits::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
}
