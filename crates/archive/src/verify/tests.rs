//! Every single damage is named, at the object that has it and no other.

use crate::log::testing::{append, chain};

use super::*;
use crate::files::FileFormat;

async fn report(chain: &Chain) -> ChainReport {
    verify_chain(chain, Depth::Records, ReadLimits::default(), &|_| {})
        .await
        .unwrap()
}

async fn grown(format: FileFormat) -> Chain {
    let chain = chain();
    for end in [40, 41, 90, 100] {
        append(&chain, format, end).await;
    }
    chain
}

fn blamed(report: &ChainReport) -> Vec<&str> {
    report
        .faults
        .iter()
        .map(|fault| fault.key.as_str())
        .collect()
}

#[tokio::test]
async fn a_whole_chain_has_no_faults() {
    for format in [FileFormat::Parquet, FileFormat::Jsonl] {
        let report = report(&grown(format).await).await;
        assert_eq!(report.faults, []);
        assert_eq!(
            (report.links, report.start, report.end, report.rows),
            (4, Some(0), Some(100), 100)
        );
    }
    assert_eq!(report(&chain()).await.links, 0);
}

#[tokio::test]
async fn one_flipped_cut_deleted_or_swapped_file_is_named_and_no_other() {
    for format in [FileFormat::Parquet, FileFormat::Jsonl] {
        let chain = grown(format).await;
        let files = chain.read(2).await.unwrap().manifest.files;
        let (victim, other) = (&files[1].key, &files[0].key);
        let whole = chain.store().get(victim, 1 << 20).await.unwrap();
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        for damage in [
            flipped.into(),
            whole.slice(..whole.len() - 1),
            bytes::Bytes::new(),
        ] {
            chain.store().put(victim, damage).await.unwrap();
            assert_eq!(blamed(&report(&chain).await), [victim.as_str()]);
        }
        chain.store().delete(victim).await.unwrap();
        assert_eq!(blamed(&report(&chain).await), [victim.as_str()]);
        chain
            .store()
            .put(victim, chain.store().get(other, 1 << 20).await.unwrap())
            .await
            .unwrap();
        chain.store().put(other, whole.clone()).await.unwrap();
        let swapped = report(&chain).await;
        let mut names = blamed(&swapped);
        names.sort_unstable();
        let mut expected = [victim.as_str(), other.as_str()];
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn one_changed_cut_deleted_or_swapped_manifest_is_named_and_no_other() {
    let chain = grown(FileFormat::Jsonl).await;
    for seq in 0..4 {
        let key = chain.key(seq);
        let whole = chain.store().get(&key, 1 << 20).await.unwrap();
        let text = String::from_utf8(whole.to_vec()).unwrap();
        let mut damages = vec![
            whole.slice(..whole.len() / 2),
            text.replace("\"rows\": ", "\"rows\": 9").into(),
            text.replace("\"start\": ", "\"start\": 9").into(),
        ];
        // A change that only the next link's hash tells of.
        if seq < 3 {
            damages.push(text.replace("  \"version\"", "   \"version\"").into());
        }
        for damage in damages {
            chain.store().put(&key, damage).await.unwrap();
            assert_eq!(blamed(&report(&chain).await), [key.as_str()], "link {seq}");
        }
        if seq < 3 {
            chain.store().delete(&key).await.unwrap();
            assert_eq!(blamed(&report(&chain).await), [key.as_str()], "link {seq}");
        }
        chain.store().put(&key, whole).await.unwrap();
    }
    let (one, other) = (chain.key(1), chain.key(2));
    let bytes = chain.store().get(&one, 1 << 20).await.unwrap();
    chain
        .store()
        .put(&one, chain.store().get(&other, 1 << 20).await.unwrap())
        .await
        .unwrap();
    chain.store().put(&other, bytes).await.unwrap();
    assert_eq!(
        blamed(&report(&chain).await),
        [one.as_str(), other.as_str()]
    );
}
