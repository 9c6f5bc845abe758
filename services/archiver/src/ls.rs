//! `archiver ls`: the files that count, for whoever reads them with a tool of their own.

use archive::chain::Links;
use archive::compaction::{CompactedFolder, Compactions};
use archive::expiry::Expiries;
use archive::{ArchiveError, ArchiveStore, Chain, FileEntry, ObjectKey, RawFolder, Region};
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
        let mut holders = Holders::of(&chain).await?;
        while let Some(files) = holders.next().await? {
            for entry in files.iter().filter(|file| args.wants(&file.key)) {
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

/// What holds a chain's records now: compactions, then the links that are not compacted yet.
struct Holders {
    compactions: Compactions,
    compaction: u64,
    /// Nothing of links below this number is there any more.
    expired: u64,
    chain: Chain,
    links: Option<Links>,
    link: u64,
}

impl Holders {
    async fn of(chain: &Chain) -> archive::Result<Self> {
        let (store, id) = (chain.store().clone(), chain.id().clone());
        let expiry = Expiries::new(store.clone(), id.clone()).newest().await?;
        let expired = expiry.map_or(0, |expiry| expiry.links);
        Ok(Self {
            compactions: Compactions::new(store, id),
            compaction: 0,
            expired,
            chain: chain.clone(),
            links: None,
            link: expired,
        })
    }

    /// The files of the next one; none at the end.
    async fn next(&mut self) -> archive::Result<Option<Vec<FileEntry>>> {
        loop {
            if let Some(links) = &mut self.links {
                return Ok(links.next().await?.map(|link| link.manifest.files));
            }
            match self.compactions.read(self.compaction).await {
                Ok((made, _)) => {
                    self.compaction += 1;
                    self.link = self.link.max(made.last_link + 1);
                    if made.last_link >= self.expired {
                        return Ok(Some(made.files));
                    }
                }
                Err(ArchiveError::Missing { .. }) => self.links = Some(self.chain.links(self.link)),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The day of a file's folder, and its region.
fn day_and_region(folder: &ObjectKey) -> Option<(chrono::NaiveDate, Region)> {
    if let Some(compacted) = CompactedFolder::parse(folder) {
        return Some((compacted.day, compacted.region));
    }
    let (_, raw) = RawFolder::parse(folder).ok()?;
    Some((raw.date_and_hour().0.parse().ok()?, raw.region))
}

impl Args {
    fn wants(&self, key: &ObjectKey) -> bool {
        let Some((day, region)) = day_and_region(&key.folder()) else {
            return false;
        };
        let in_time = self.since.is_none_or(|since| day >= since)
            && self.until.is_none_or(|until| day <= until);
        in_time
            && self
                .region
                .as_deref()
                .is_none_or(|wanted| region.as_str() == wanted)
    }
}
