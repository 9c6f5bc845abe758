//! `archiver cat`: records as NDJSON, for a person.

use anyhow::Context as _;
use archive::log::records_of_key;
use archive::{ArchiveStore, LogReader, LogTail, NoTail, ReadLimits, Record, Stretch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::chains::Selection;
use crate::config::Config;
use crate::kafka_tail::KafkaTails;

/// Which records.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// The records of one game, found without reading the rest
    #[arg(long, value_name = "ID")]
    game: Option<String>,
    /// From this offset on
    #[arg(long, default_value_t = 0)]
    from: i64,
    /// Up to this offset, which is left out
    #[arg(long)]
    to: Option<i64>,
    /// Go on behind the end of the archive with what Kafka has
    #[arg(long, conflicts_with = "game")]
    and_kafka: bool,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let store = ArchiveStore::open(&config.store)?;
    let chains = args.selection.one_log(&store).await?;
    let mut out = Output(std::io::BufWriter::new(std::io::stdout()), Ok(()));
    let to = args.to.unwrap_or(i64::MAX);
    let tails = if args.and_kafka {
        Some(KafkaTails::join(
            &config.kafka.consumer(&args.selection.topic),
        )?)
    } else {
        None
    };
    for chain in chains {
        let partition = chain.id().partition;
        if let Some(game) = &args.game {
            let mut print = |record: &Record<'_>| out.print(partition, record);
            let offsets = args.from..to;
            let limits = ReadLimits::default();
            records_of_key(&chain, game.as_bytes(), offsets, None, limits, &mut print).await?;
        } else if let Some(tails) = &tails {
            let tail = tails.partition(partition);
            print_range(
                LogReader::new(chain, tail, args.from, ReadLimits::default()),
                partition,
                to,
                &mut out,
            )
            .await?;
        } else {
            print_range(
                LogReader::new(chain, NoTail, args.from, ReadLimits::default()),
                partition,
                to,
                &mut out,
            )
            .await?;
        }
        if out.1.is_err() {
            break;
        }
    }
    out.end()
}

async fn print_range(
    mut reader: LogReader<impl LogTail>,
    partition: i32,
    to: i64,
    out: &mut Output<impl std::io::Write>,
) -> anyhow::Result<()> {
    while reader.position() < to && out.1.is_ok() {
        match reader.next().await? {
            Some(Stretch::Records(block)) => {
                for record in block.records().filter(|record| record.offset < to) {
                    out.print(partition, &record);
                }
            }
            Some(Stretch::Gap { start, end, gap }) => {
                out.line(&json!({"partition": partition, "gap": {"start": start, "end": end, "reason": gap.reason}}));
            }
            None => break,
        }
    }
    Ok(())
}

/// Where lines go, until that fails.
struct Output<W: std::io::Write>(W, std::io::Result<()>);

impl<W: std::io::Write> Output<W> {
    fn print(&mut self, partition: i32, record: &Record<'_>) {
        let mut headers = Map::new();
        for (name, value) in record.headers.clone() {
            headers.insert(name.into_owned(), readable(value));
        }
        let time = record
            .timestamp_ms
            .and_then(DateTime::<Utc>::from_timestamp_millis);
        self.line(&json!({
            "partition": partition,
            "offset": record.offset,
            "timestamp": time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            "key": readable(record.key),
            "headers": headers,
            "value": body(record.value),
        }));
    }

    fn line(&mut self, line: &Value) {
        if self.1.is_ok() {
            self.1 = writeln!(self.0, "{line}");
        }
    }

    fn end(mut self) -> anyhow::Result<()> {
        match self.1.and_then(|()| self.0.flush()) {
            // Whoever reads has seen enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome.context("writing the records"),
        }
    }
}

/// A body as JSON where it is some.
fn body(value: Option<&[u8]>) -> Value {
    let parsed = value.and_then(|bytes| serde_json::from_slice(bytes).ok());
    parsed.unwrap_or_else(|| readable(value))
}

/// Bytes as a text, or as base64 in an object that says so.
fn readable(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_binary| bytes)) {
        None => Value::Null,
        Some(Ok(text)) => Value::String(text.to_owned()),
        Some(Err(bytes)) => json!({"base64": BASE64.encode(bytes)}),
    }
}
