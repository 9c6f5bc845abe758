//! What was measured, as a table with the aims beside the figures, and as JSON.

use serde_json::{Map, Value, json};

use super::lines::Line;
use super::measured::Cpu;
use super::table::{Table, megabytes, per_million, rounded, two};
use super::watch::Sample;
use crate::simulate::Seen;

/// The fixed part of the memory, by the aim.
const AIM_BASE_BYTES: u64 = 200_000_000;

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) raw: Option<Line>,
    pub(super) fold: Option<Line>,
    pub(super) catch_up: Option<CatchUp>,
    pub(super) steady: Option<Steady>,
    pub(super) memory: Option<Memory>,
    pub(super) partitions: Option<Partitions>,
}

/// A backlog that was caught up on.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) records: u64,
    pub(super) per_second: f64,
    pub(super) cpu: Cpu,
    pub(super) peak_memory_bytes: u64,
    /// Write-ahead log.
    pub(super) written_bytes: u64,
    pub(super) samples: Vec<Sample>,
}

/// A stream at a rate.
#[derive(Debug)]
pub(super) struct Steady {
    pub(super) wanted_per_second: u64,
    pub(super) produced_per_second: f64,
    pub(super) records: u64,
    pub(super) cpu: Cpu,
    pub(super) peak_memory_bytes: u64,
    pub(super) samples: Vec<Sample>,
    pub(super) seen: Seen,
}

/// Many live games.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) live_games: u64,
    pub(super) caught_up: CatchUp,
}

/// The same work over different numbers of partitions.
#[derive(Debug)]
pub(super) struct Partitions {
    pub(super) measured: Vec<(i32, CatchUp)>,
}

impl CatchUp {
    /// Ingestor and PostgreSQL together.
    pub(super) fn cpu_s_per_million(&self) -> f64 {
        per_million(
            (self.cpu.service + self.cpu.postgres).as_secs_f64(),
            self.records,
        )
    }
}

impl Steady {
    /// The most records that were in the log and not committed, at any look.
    fn most_lag(&self) -> i64 {
        self.samples
            .iter()
            .map(|sample| sample.produced - sample.committed)
            .max()
            .unwrap_or_default()
    }
}

impl Report {
    /// Memory of a live game beyond that of a catching-up ingestor with few of them, and that ingestor's, in bytes.
    fn memory_bytes(&self) -> Option<(f64, u64)> {
        let (memory, few) = (self.memory.as_ref()?, self.catch_up.as_ref()?);
        let more = memory
            .caught_up
            .peak_memory_bytes
            .saturating_sub(few.peak_memory_bytes);
        Some((
            more as f64 / memory.live_games.max(1) as f64,
            few.peak_memory_bytes,
        ))
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.catch_up.as_ref()?.per_second / self.fold.as_ref()?.per_second())
    }

    /// The table.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        if let (Some(raw), Some(fold)) = (&self.raw, &self.fold) {
            table.row(
                "raw consume, records/s",
                rounded(raw.per_second()),
                "the limit",
            );
            table.row(
                "  CPU-seconds per million",
                two(raw.cpu_s_per_million()),
                "",
            );
            table.row(
                "decode and fold in memory, records/s",
                rounded(fold.per_second()),
                "the line",
            );
            table.row(
                "  CPU-seconds per million",
                two(fold.cpu_s_per_million()),
                "",
            );
        }
        if let Some(catch_up) = &self.catch_up {
            table.row("catching up, records/s", rounded(catch_up.per_second), "");
            if let Some(ratio) = self.ratio() {
                table.row("  of the line", two(ratio), "≥ 0.70");
            }
            table.row(
                "  CPU-seconds per million, with PostgreSQL",
                two(catch_up.cpu_s_per_million()),
                "≤ 3.00",
            );
            cpu_rows(&mut table, catch_up.cpu, catch_up.records);
            table.row(
                "  write-ahead log, bytes a record",
                rounded(catch_up.written_bytes as f64 / catch_up.records as f64),
                "",
            );
            table.row(
                "  peak memory, MB",
                megabytes(catch_up.peak_memory_bytes),
                &format!("≤ {}", megabytes(AIM_BASE_BYTES)),
            );
        }
        if let Some(steady) = &self.steady {
            table.row(
                &format!("steady stream of {}/s, records/s", steady.wanted_per_second),
                rounded(steady.produced_per_second),
                "as asked",
            );
            if let Some([p50, p90, p99, max]) = steady.seen.quantiles() {
                let games = steady.seen.measured();
                table.row(
                    &format!("  readable after its end, p50 of {games} games, ms"),
                    p50,
                    "",
                );
                table.row("  p90, ms", p90, "");
                table.row("  p99, ms", p99, "≤ 1000 at 150000/s");
                table.row("  the longest, ms", max, "");
            }
            table.row(
                "  most records not committed at a time",
                steady.most_lag(),
                "",
            );
            cpu_rows(&mut table, steady.cpu, steady.records);
            table.row(
                "  producer and watcher",
                two(per_million(
                    steady.cpu.producer.as_secs_f64(),
                    steady.records,
                )),
                "",
            );
            table.row("  peak memory, MB", megabytes(steady.peak_memory_bytes), "");
        }
        if let Some(memory) = &self.memory {
            table.row(
                &format!("{} live games, peak memory, MB", memory.live_games),
                megabytes(memory.caught_up.peak_memory_bytes),
                "",
            );
            table.row("  records/s", rounded(memory.caught_up.per_second), "");
            if let Some((bytes, _)) = self.memory_bytes() {
                table.row("  bytes a live game", rounded(bytes), "≤ 700");
            }
        }
        for (count, caught_up) in self
            .partitions
            .iter()
            .flat_map(|partitions| &partitions.measured)
        {
            table.row(
                &format!("{count} partitions, CPU-seconds per million"),
                two(caught_up.cpu_s_per_million()),
                "flat",
            );
            table.row("  records/s", rounded(caught_up.per_second), "");
            table.row(
                "  peak memory, MB",
                megabytes(caught_up.peak_memory_bytes),
                "",
            );
        }
        table.into_text()
    }

    /// The figures by name. What was left out is left out.
    pub(super) fn figures(&self) -> Value {
        let mut figures = Map::new();
        let mut put = |name: &str, value: Value| {
            figures.insert(name.to_owned(), value);
        };
        if let (Some(raw), Some(fold)) = (&self.raw, &self.fold) {
            put("raw_consume_per_s", json!(raw.per_second().round()));
            put(
                "raw_consume_cpu_s_per_million",
                json!(raw.cpu_s_per_million()),
            );
            put("decode_fold_per_s", json!(fold.per_second().round()));
            put(
                "decode_fold_cpu_s_per_million",
                json!(fold.cpu_s_per_million()),
            );
        }
        if let Some(catch_up) = &self.catch_up {
            put("catch_up_records", json!(catch_up.records));
            put("catch_up_per_s", json!(catch_up.per_second.round()));
            put("catch_up_ratio", json!(self.ratio()));
            put("cpu_s_per_million", json!(catch_up.cpu_s_per_million()));
            put(
                "cpu_s_per_million_ingestor",
                json!(per_million(
                    catch_up.cpu.service.as_secs_f64(),
                    catch_up.records
                )),
            );
            put(
                "cpu_s_per_million_postgres",
                json!(per_million(
                    catch_up.cpu.postgres.as_secs_f64(),
                    catch_up.records
                )),
            );
            put(
                "cpu_s_per_million_kafka",
                json!(per_million(
                    catch_up.cpu.kafka.as_secs_f64(),
                    catch_up.records
                )),
            );
            put(
                "wal_bytes_per_event",
                json!(catch_up.written_bytes as f64 / catch_up.records as f64),
            );
            put("base_memory_bytes", json!(catch_up.peak_memory_bytes));
        }
        if let Some(steady) = &self.steady {
            let quantiles = steady.seen.quantiles();
            put("steady_per_s", json!(steady.produced_per_second.round()));
            put("steady_most_lag_records", json!(steady.most_lag()));
            put("visibility_games", json!(steady.seen.measured()));
            put("visibility_p50_ms", json!(quantiles.map(|q| q[0])));
            put("visibility_p99_ms", json!(quantiles.map(|q| q[2])));
            put("visibility_max_ms", json!(quantiles.map(|q| q[3])));
        }
        if let Some(memory) = &self.memory {
            put("live_games", json!(memory.live_games));
            put(
                "bytes_per_live_game",
                json!(self.memory_bytes().map(|(bytes, _)| bytes.round())),
            );
        }
        for (count, caught_up) in self
            .partitions
            .iter()
            .flat_map(|partitions| &partitions.measured)
        {
            put(
                &format!("cpu_s_per_million_{count}_partitions"),
                json!(caught_up.cpu_s_per_million()),
            );
            put(
                &format!("catch_up_per_s_{count}_partitions"),
                json!(caught_up.per_second.round()),
            );
        }
        Value::Object(figures)
    }
}

fn cpu_rows(table: &mut Table, cpu: Cpu, records: u64) {
    for (name, time) in [
        ("ingestor", cpu.service),
        ("PostgreSQL", cpu.postgres),
        ("Kafka", cpu.kafka),
    ] {
        table.row(
            &format!("    {name}"),
            two(per_million(time.as_secs_f64(), records)),
            "",
        );
    }
}
