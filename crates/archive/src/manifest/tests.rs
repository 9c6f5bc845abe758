//! The form of a manifest: what is stored stays readable, and what contradicts itself is refused.

use proptest::prelude::*;

use super::*;

const GOLDEN: &str = include_str!("../../fixtures/manifest.v1.json");
const GOLDEN_GAP: &str = include_str!("../../fixtures/manifest-gap.v1.json");

fn chain() -> ChainId {
    ChainId {
        topic: TopicName::parse("game-events").unwrap(),
        topic_id: TopicId::parse("Zm9vYmFyYmF6cXV4cXV1eA").unwrap(),
        partition: 7,
    }
}

fn golden() -> Manifest {
    Manifest::parse(&chain(), 42, GOLDEN.as_bytes()).unwrap()
}

#[test]
fn a_stored_manifest_is_read_and_written_the_same() {
    let manifest = golden();
    assert_eq!(String::from_utf8(manifest.to_bytes()).unwrap(), GOLDEN);
    assert_eq!(
        (manifest.start, manifest.end, manifest.rows()),
        (123_000, 145_000, 21_999)
    );
    let gap = Manifest::parse(&chain(), 43, GOLDEN_GAP.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(gap.to_bytes()).unwrap(), GOLDEN_GAP);
    assert_eq!(gap.gap.unwrap().reason, "retention was a day too short");
}

#[test]
fn what_contradicts_its_place_or_itself_is_named() {
    type Change = fn(&mut Manifest);
    let changes: [(&str, Change); 14] = [
        ("version", |m| m.version = 2),
        ("another place", |m| m.seq = 41),
        ("another place", |m| m.partition = 8),
        ("another place", |m| {
            m.topic_id = TopicId::parse("x").unwrap()
        }),
        ("previous", |m| m.previous_sha256 = None),
        ("no range", |m| m.end = m.start),
        ("files or a gap", |m| m.files.clear()),
        ("more records", |m| m.files[0].rows = u64::MAX),
        ("twice", |m| m.files[1] = m.files[0].clone()),
        ("lie outside", |m| m.files[0].max_offset = m.end),
        ("something else", |m| m.files[0].min_offset += 1),
        ("so many records", |m| m.files[0].rows = 0),
        ("no folder of records", |m| {
            m.files[0].key = ObjectKey::parse("raw/topic=game-events/x").unwrap();
        }),
        ("more than 64", |m| {
            let file = m.files[0].clone();
            m.files = vec![file; 65];
        }),
    ];
    for (said, change) in changes {
        let mut manifest = golden();
        change(&mut manifest);
        let error = Manifest::parse(&chain(), 42, &manifest.to_bytes()).unwrap_err();
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_a_manifest_panic(at in 0..GOLDEN.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = GOLDEN.as_bytes().to_vec();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        let _ = Manifest::parse(&chain(), 42, &bytes);
    }
}
