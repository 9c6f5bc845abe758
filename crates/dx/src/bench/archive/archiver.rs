//! One archiver under measurement: started into an empty place, looked at until it has taken every record, then told to end, which
//! closes what is open. The time counts from its first records until its process is gone: then everything is in the archive.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use archive::{ArchiveStore, FileFormat, StoreSettings};

use super::contents::Stored;
use crate::bench::measured::{Cpu, Measured};
use crate::bench::watch::Sample;
use crate::stack::{self, Endpoints, Profile};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// How often while it ends: its time counts until then.
const ENDING_EVERY: Duration = Duration::from_millis(5);
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where an archiver writes to.
#[derive(Debug)]
pub(super) struct Place {
    name: &'static str,
    settings: StoreSettings,
}

impl Place {
    /// A directory of the stack, written with fsync.
    pub(super) fn directory(endpoints: &Endpoints, name: &'static str) -> Self {
        let folder = endpoints.data_dir.join(format!("bench-archive-{name}"));
        Self {
            name,
            settings: StoreSettings::at(format!("file://{}", folder.display())),
        }
    }

    /// The bucket of the stack.
    ///
    /// # Errors
    /// The stack has none.
    pub(super) fn bucket(endpoints: &Endpoints) -> anyhow::Result<Self> {
        let s3 = endpoints
            .archive
            .s3
            .as_ref()
            .context("the stack has no S3 server")?;
        Ok(Self {
            name: "s3",
            settings: StoreSettings {
                endpoint: Some(s3.endpoint.clone()),
                region: Some(s3.region.to_owned()),
                access_key_id: Some(s3.access_key.to_owned()),
                secret_access_key: Some(s3.secret_key.to_owned().into()),
                allow_http: true,
                ..StoreSettings::at(endpoints.archive.url.clone())
            },
        })
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The archive there.
    ///
    /// # Errors
    /// It can't be opened.
    pub(super) fn open(&self) -> anyhow::Result<ArchiveStore> {
        Ok(ArchiveStore::open(&self.settings)?)
    }

    fn environment(&self, endpoints: &Endpoints) -> Vec<(&'static str, String)> {
        let mut settings = vec![("ARCHIVER__STORE__URL", self.settings.url.clone())];
        if let Some(s3) = endpoints.archive.s3.as_ref().filter(|_| self.name == "s3") {
            settings.extend(stack::archiver_s3(s3, s3.endpoint.clone()));
        }
        settings
    }
}

/// How an archiver works: as by default, but for what is said here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    format: FileFormat,
    one_core: bool,
    zstd_level: Option<i32>,
}

impl Setup {
    /// The bytes of the whole process: the usual bound.
    pub(super) const MEMORY_BYTES: u64 = 1 << 30;

    pub(super) fn usual(format: FileFormat) -> Self {
        Self {
            format,
            one_core: false,
            zstd_level: None,
        }
    }

    /// With this level of zstd, if any is given.
    pub(super) fn with_level(self, zstd_level: Option<i32>) -> Self {
        Self { zstd_level, ..self }
    }

    /// Held to one core, by `taskset` where there is one.
    pub(super) fn on_one_core(self) -> Self {
        Self {
            one_core: true,
            ..self
        }
    }

    fn environment(self) -> Vec<(&'static str, String)> {
        let format = match self.format {
            FileFormat::Parquet => "parquet",
            FileFormat::Jsonl => "jsonl",
        };
        let mut settings = vec![
            ("ARCHIVER__RAW__FORMAT", format.to_owned()),
            (
                "ARCHIVER__RAW__MEMORY_BYTES",
                Self::MEMORY_BYTES.to_string(),
            ),
        ];
        let level = self.zstd_level.map(|level| level.to_string());
        settings.extend(level.map(|level| ("ARCHIVER__RAW__ZSTD_LEVEL", level)));
        settings
    }
}

/// A backlog that was archived.
#[derive(Debug)]
pub(super) struct Archived {
    pub(super) records: u64,
    pub(super) per_second: f64,
    pub(super) cpu: Cpu,
    /// How long the archiver worked, from its first records to its end.
    pub(super) took: Duration,
    pub(super) peak_memory_bytes: u64,
    /// The most that the archiver itself counted in open batches.
    pub(super) most_in_batches_bytes: u64,
    /// What is in the archive then.
    pub(super) stored: Stored,
    /// Records taken so far, as often as it was looked at.
    pub(super) samples: Vec<Sample>,
}

/// Archives a topic of `records` records.
///
/// # Errors
/// The archiver does not start, does nothing for a minute, or does not end.
pub(super) async fn archive(
    profile: &Profile,
    endpoints: &Endpoints,
    place: &Place,
    setup: &Setup,
    records: u64,
) -> anyhow::Result<Archived> {
    let mut settings = place.environment(endpoints);
    settings.extend(setup.environment());
    let before = Cpu::of_stack(profile)?;
    let archiver = Measured::archiver(
        profile,
        endpoints,
        place.name(),
        &settings,
        setup.one_core.then_some(last_core()),
    )
    .await?;
    let mut looks = Looks::default();
    looks.until_taken(&archiver, records).await?;
    archiver.tell_to_end();
    let deadline = Instant::now() + PATIENCE;
    while archiver.is_alive() {
        ensure!(Instant::now() < deadline, "the archiver does not end");
        // Its memory can't be asked for in the very moment of its end.
        looks.peak_memory_bytes = archiver
            .peak_memory_bytes()
            .map_or(looks.peak_memory_bytes, |now| {
                now.max(looks.peak_memory_bytes)
            });
        tokio::time::sleep(ENDING_EVERY).await;
    }
    let (began, first) = looks
        .samples
        .iter()
        .find(|sample| sample.committed > 0)
        .map(|sample| (sample.at, sample.committed))
        .context("the archiver was never seen at work")?;
    let took = began.elapsed();
    Ok(Archived {
        records,
        per_second: (records - first.unsigned_abs().min(records)) as f64 / took.as_secs_f64(),
        cpu: Cpu::now(profile, &archiver)?.since(before),
        took,
        peak_memory_bytes: looks.peak_memory_bytes,
        most_in_batches_bytes: looks.most_in_batches_bytes,
        stored: Stored::default(),
        samples: looks.samples,
    })
}

/// The core that a measured process is held to.
fn last_core() -> usize {
    std::thread::available_parallelism().map_or(0, |cores| cores.get() - 1)
}

/// What was seen of an archiver.
#[derive(Debug, Default)]
struct Looks {
    samples: Vec<Sample>,
    peak_memory_bytes: u64,
    most_in_batches_bytes: u64,
}

impl Looks {
    async fn until_taken(&mut self, archiver: &Measured, records: u64) -> anyhow::Result<()> {
        let produced = i64::try_from(records)?;
        let metrics = format!("{}/metrics", archiver.url());
        let (mut moved_at, mut last) = (Instant::now(), 0);
        loop {
            let text = reqwest::get(&metrics).await?.text().await?;
            let committed = i64::try_from(sum_of(&text, "archive_taken_offset"))?;
            let at = Instant::now();
            self.samples.push(Sample {
                at,
                committed,
                produced,
            });
            self.peak_memory_bytes = archiver.peak_memory_bytes()?;
            let in_batches = sum_of(&text, "archive_memory_bytes");
            self.most_in_batches_bytes = self.most_in_batches_bytes.max(in_batches);
            if committed >= produced {
                return Ok(());
            }
            if committed != last {
                (moved_at, last) = (at, committed);
            }
            if moved_at.elapsed() > PATIENCE {
                bail!(
                    "the archiver took nothing for a minute, and {committed} of {records} records before"
                );
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// The sum of a metric of whole numbers over all its labels, in Prometheus's text.
fn sum_of(text: &str, metric: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.strip_prefix(metric))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::sum_of;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_no_other_is_taken_for_it() {
        let text = "# TYPE a gauge\na{p=\"0\"} 3\na{p=\"1\"} 4\na_b 100\na 1\n";
        let sums = ["a", "a_b", "c"].map(|metric| sum_of(text, metric));
        assert_eq!(sums, [8, 100, 0]);
    }
}
