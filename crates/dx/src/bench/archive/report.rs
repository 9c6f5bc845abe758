//! What was measured, as a table with the aims beside the figures, and as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::archiver::Archived;
use super::contents::{Found, ReadBack};
use crate::bench::lines::Line;
use crate::bench::table::{Table, megabytes, per_million, rounded, two};

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) raw: Line,
    /// Into a directory, on one core.
    pub(super) parquet: Archived,
    pub(super) all_cores: Option<Archived>,
    pub(super) jsonl: Option<Archived>,
    pub(super) s3: Option<Archived>,
    pub(super) read_back: Option<ReadBack>,
    pub(super) found: Vec<Found>,
    pub(super) memory: Option<Memory>,
}

/// Many partitions open at a time.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) partitions: i32,
    /// What the configuration allows.
    pub(super) bound_bytes: u64,
    pub(super) archived: Archived,
}

/// The games that were found, in the middle and at worst.
struct Finding {
    median: Duration,
    longest: Duration,
    median_bytes: u64,
}

impl Archived {
    fn cpu_s_per_million(&self) -> f64 {
        per_million(self.cpu.service.as_secs_f64(), self.records)
    }

    /// How many cores it kept busy.
    fn cores(&self) -> f64 {
        self.cpu.service.as_secs_f64() / self.took.as_secs_f64().max(1e-3)
    }
}

impl Report {
    pub(super) fn new(raw: Line, parquet: Archived) -> Self {
        Self {
            raw,
            parquet,
            all_cores: None,
            jsonl: None,
            s3: None,
            read_back: None,
            found: Vec::new(),
            memory: None,
        }
    }

    fn ratio(&self) -> f64 {
        self.parquet.per_second / self.raw.per_second()
    }

    /// Of the bytes of the JSON that came in.
    fn share(&self, archived: &Archived) -> f64 {
        archived.stored.bytes as f64 / self.raw.value_bytes as f64
    }

    fn finding(&self) -> Option<Finding> {
        let mut times: Vec<Duration> = self.found.iter().map(|found| found.took).collect();
        let mut bytes: Vec<u64> = self.found.iter().map(|found| found.bytes_read).collect();
        times.sort_unstable();
        bytes.sort_unstable();
        Some(Finding {
            median: *times.get(times.len() / 2)?,
            longest: *times.last()?,
            median_bytes: *bytes.get(bytes.len() / 2)?,
        })
    }

    /// The table.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.row(
            "raw consume, records/s",
            rounded(self.raw.per_second()),
            "the line",
        );
        table.row(
            "  CPU-seconds per million",
            two(self.raw.cpu_s_per_million()),
            "",
        );
        rows(
            &mut table,
            "Parquet into a directory, one core",
            &self.parquet,
        );
        table.row("  of the line", two(self.ratio()), "≥ 0.50");
        table.row(
            "  bytes stored, of the JSON's",
            two(self.share(&self.parquet)),
            "≤ 0.25",
        );
        if let Some(all_cores) = &self.all_cores {
            rows(&mut table, "Parquet, all cores", all_cores);
        }
        if let Some(jsonl) = &self.jsonl {
            rows(&mut table, "JSON Lines, all cores", jsonl);
            table.row("  bytes stored, of the JSON's", two(self.share(jsonl)), "");
        }
        if let Some(s3) = &self.s3 {
            rows(&mut table, "Parquet into S3, one core", s3);
        }
        self.reading(&mut table);
        if let Some(memory) = &self.memory {
            let archived = &memory.archived;
            let files = archived.stored.files;
            table.row(
                &format!(
                    "{} partitions, {files} files, peak memory, MB",
                    memory.partitions
                ),
                megabytes(archived.peak_memory_bytes),
                &format!("≤ {}, as configured", megabytes(memory.bound_bytes)),
            );
            table.row(
                "  in open batches by its own count, MB",
                megabytes(archived.most_in_batches_bytes),
                "",
            );
            table.row("  records/s", rounded(archived.per_second), "");
        }
        table.into_text()
    }

    fn reading(&self, table: &mut Table) {
        if let Some(read) = &self.read_back {
            table.row(
                "read back by the log reader, records/s",
                rounded(read.per_second()),
                "≥ 400000",
            );
            table.row(
                "  CPU-seconds per million",
                two(per_million(read.cpu.as_secs_f64(), read.records)),
                "",
            );
        }
        if let Some(finding) = self.finding() {
            let (games, records) = (self.found.len(), self.raw.records);
            table.row(
                &format!("a game of {records} records, by id, median of {games}, ms"),
                finding.median.as_millis(),
                "",
            );
            table.row("  the longest, ms", finding.longest.as_millis(), "");
            table.row(
                "  bytes read, MB",
                two(finding.median_bytes as f64 / 1e6),
                "",
            );
        }
    }

    /// The figures by name. What was left out is left out.
    pub(super) fn figures(&self) -> Value {
        let mut figures = Map::new();
        let mut put = |name: &str, value: Value| {
            figures.insert(name.to_owned(), value);
        };
        put("records", json!(self.raw.records));
        put("json_bytes", json!(self.raw.value_bytes));
        put("raw_consume_per_s", json!(self.raw.per_second().round()));
        put(
            "raw_consume_cpu_s_per_million",
            json!(self.raw.cpu_s_per_million()),
        );
        put("archive_per_s", json!(self.parquet.per_second.round()));
        put("archive_ratio", json!(self.ratio()));
        put("cpu_s_per_million", json!(self.parquet.cpu_s_per_million()));
        put(
            "cpu_s_per_million_kafka",
            json!(per_million(
                self.parquet.cpu.kafka.as_secs_f64(),
                self.raw.records
            )),
        );
        put("parquet_share", json!(self.share(&self.parquet)));
        put("peak_memory_bytes", json!(self.parquet.peak_memory_bytes));
        if let Some(all_cores) = &self.all_cores {
            put(
                "archive_all_cores_per_s",
                json!(all_cores.per_second.round()),
            );
        }
        if let Some(jsonl) = &self.jsonl {
            put("jsonl_per_s", json!(jsonl.per_second.round()));
            put("jsonl_share", json!(self.share(jsonl)));
            put("jsonl_cpu_s_per_million", json!(jsonl.cpu_s_per_million()));
        }
        if let Some(s3) = &self.s3 {
            put("s3_per_s", json!(s3.per_second.round()));
            put("s3_cpu_s_per_million", json!(s3.cpu_s_per_million()));
            put(
                "s3_cpu_s_per_million_server",
                json!(per_million(s3.cpu.object_store.as_secs_f64(), s3.records)),
            );
        }
        if let Some(read) = &self.read_back {
            put("read_back_per_s", json!(read.per_second().round()));
        }
        if let Some(finding) = self.finding() {
            put("find_game_ms", json!(finding.median.as_secs_f64() * 1e3));
            put(
                "find_game_longest_ms",
                json!(finding.longest.as_secs_f64() * 1e3),
            );
            put("find_game_bytes", json!(finding.median_bytes));
        }
        if let Some(memory) = &self.memory {
            let archived = &memory.archived;
            put("many_partitions", json!(memory.partitions));
            put("many_partitions_files", json!(archived.stored.files));
            put(
                "many_partitions_peak_memory_bytes",
                json!(archived.peak_memory_bytes),
            );
            put(
                "many_partitions_memory_bound_bytes",
                json!(memory.bound_bytes),
            );
            put("many_partitions_per_s", json!(archived.per_second.round()));
        }
        Value::Object(figures)
    }
}

/// What every run of an archiver shows.
fn rows(table: &mut Table, name: &str, archived: &Archived) {
    table.row(
        &format!("{name}, records/s"),
        rounded(archived.per_second),
        "",
    );
    let shares = [
        ("archiver", archived.cpu.service),
        ("Kafka", archived.cpu.kafka),
        ("S3 server", archived.cpu.object_store),
    ];
    for (name, time) in shares.into_iter().filter(|(_, time)| !time.is_zero()) {
        table.row(
            &format!("  CPU-seconds per million, {name}"),
            two(per_million(time.as_secs_f64(), archived.records)),
            if name == "archiver" { "≤ 2.00" } else { "" },
        );
    }
    table.row("  cores busy", two(archived.cores()), "");
    let stored = &archived.stored;
    table.row(
        "  batches and files",
        format!("{} / {}", stored.links, stored.files),
        "",
    );
    table.row(
        "  peak memory, MB",
        megabytes(archived.peak_memory_bytes),
        "",
    );
}
