//! `archiver ls`: the files that count, for whoever reads them with a tool of their own.

use archive::{ArchiveStore, ObjectKey, RawFolder};
use serde::Serialize;

use crate::chains::Selection;
use crate::config::Config;

/// Which files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Only from this date on, such as 2026-11-21
    #[arg(long, value_name = "DATE")]
    since: Option<chrono::NaiveDate>,
    /// Only up to this date
    #[arg(long, value_name = "DATE")]
    until: Option<chrono::NaiveDate>,
    /// One JSON object a file, with its figures, instead of its address
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    url: String,
    #[serde(flatten)]
    entry: &'a archive::FileEntry,
    partition: i32,
    topic_id: &'a str,
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let store = ArchiveStore::open(&config.store)?;
    for chain in args.selection.chains(&store).await? {
        let mut links = chain.links(0);
        while let Some(link) = links.next().await? {
            let files = link.manifest.files.iter();
            for entry in files.filter(|file| args.wants(&file.key)) {
                let url = format!("{}/{}", store.url().trim_end_matches('/'), entry.key);
                if args.json {
                    let id = chain.id();
                    let (partition, topic_id) = (id.partition, id.topic_id.as_str());
                    println!(
                        "{}",
                        serde_json::to_string(&Listed {
                            url,
                            entry,
                            partition,
                            topic_id
                        })?
                    );
                } else {
                    println!("{url}");
                }
            }
        }
    }
    Ok(())
}

impl Args {
    fn wants(&self, key: &ObjectKey) -> bool {
        let Ok((_, folder)) = RawFolder::parse(&key.folder()) else {
            return false;
        };
        let date = folder.date_and_hour().0.parse::<chrono::NaiveDate>().ok();
        let from = self
            .since
            .is_none_or(|since| date.is_some_and(|date| date >= since));
        let to = self
            .until
            .is_none_or(|until| date.is_some_and(|date| date <= until));
        let region = self.region.as_deref();
        from && to && region.is_none_or(|region| folder.region.as_str() == region)
    }
}
