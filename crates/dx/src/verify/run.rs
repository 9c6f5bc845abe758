//! One run: wait for the ingestor, take the snapshot, fold and compare partition by partition, then what spans partitions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::spawn_blocking;
use tokio_postgres::{Client, Transaction};

use super::Args;
use super::database::{self, Checkpoint, Scope};
use super::decode::decode;
use super::event::VERDICTS;
use super::fold::Fold;
use super::games::Games;
use super::log::{Log, Watermarks};
use super::records::Partition;
use super::report::{Difference, Fault, Report};
use crate::console::{Step, remark};
use crate::stack::Endpoints;

/// How often a waiting run looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

type Ends = BTreeMap<i32, Watermarks>;

/// Compares the topic with the database.
///
/// # Errors
/// When either cannot be read. Differences are no error here.
pub(super) async fn compare(args: &Args, endpoints: &Endpoints) -> anyhow::Result<Report> {
    let scope = Scope {
        pipeline: args.pipeline.clone(),
        topic: endpoints.topic.clone(),
    };
    let (kafka, topic) = (endpoints.kafka.clone(), endpoints.topic.clone());
    let log = Arc::new(spawn_blocking(move || Log::open(&kafka, &topic)).await??);
    let (partition_count, ends) = ends(&log, args.partition).await?;
    let mut client = database::connect(&endpoints.postgres).await?;
    let mut run = Run {
        log,
        scope,
        partition_count,
        report: Report {
            topic: endpoints.topic.clone(),
            ..Report::default()
        },
        homes: HashMap::new(),
        split: BTreeSet::new(),
        begun_before: BTreeSet::new(),
        folded: Vec::new(),
    };
    if !args.allow_lag {
        run.wait(&client, &ends, Duration::from_secs(args.wait))
            .await?;
    }
    let snapshot = database::snapshot(&mut client).await?;
    let checkpoints = database::checkpoints(&snapshot, &run.scope).await?;
    for (partition, end) in &ends {
        match checkpoints.iter().find(|c| c.partition == *partition) {
            Some(checkpoint) => {
                run.partition(&snapshot, checkpoint, *end, args.allow_lag)
                    .await?
            }
            None if end.low < end.high && !args.allow_lag => run.unread(*partition, *end),
            None => run.report.compared.partitions += 1,
        }
    }
    run.tell_gaps(&snapshot, &ends).await?;
    run.settle(&snapshot).await?;
    if args.partition.is_none() {
        run.strays(&snapshot, &ends).await?;
    }
    let order = |d: &Difference| (d.partition, d.offset, d.table);
    run.report
        .differences
        .sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(run.report)
}

/// The watermarks of the partitions to compare, and how many partitions there are in all.
async fn ends(log: &Arc<Log>, only: Option<i32>) -> anyhow::Result<(usize, Ends)> {
    let log = Arc::clone(log);
    spawn_blocking(move || {
        let mut partitions = log.partitions()?;
        let count = partitions.len();
        partitions.retain(|partition| only.is_none_or(|only| only == *partition));
        ensure!(
            !partitions.is_empty(),
            "the topic has no such partition, only 0 to {}",
            count - 1
        );
        let ends = partitions.into_iter().map(|p| Ok((p, log.watermarks(p)?)));
        Ok((count, ends.collect::<anyhow::Result<_>>()?))
    })
    .await?
}

struct Run {
    log: Arc<Log>,
    scope: Scope,
    partition_count: usize,
    report: Report,
    /// The first partition that each game was seen on.
    homes: HashMap<Box<str>, i32>,
    /// Games seen on two partitions.
    split: BTreeSet<String>,
    /// Games that may have begun before their partition's log does: nobody can say what their records should have become.
    begun_before: BTreeSet<String>,
    /// Partitions whose counters are judged when all split games are known.
    folded: Vec<(Fold, Checkpoint, Watermarks)>,
}

impl Run {
    /// Waits until every partition's checkpoint has reached the end taken at the start, or stands still for an operator.
    async fn wait(
        &mut self,
        client: &Client,
        ends: &Ends,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let (step, started) = (
            Step::start("verify", "looking how far the ingestor is"),
            Instant::now(),
        );
        loop {
            let checkpoints = database::checkpoints(client, &self.scope).await?;
            let at = |partition: i32| checkpoints.iter().find(|c| c.partition == partition);
            let behind = |partition: i32, end: &Watermarks| {
                let next = at(partition).map_or(end.low, |c| c.next_offset);
                (end.high - next).max(0)
            };
            let lag: i64 = ends
                .iter()
                .map(|(partition, end)| behind(*partition, end))
                .sum();
            let stopped = ends
                .keys()
                .find_map(|partition| Some((*partition, at(*partition)?.stopped.clone()?)));
            if lag == 0 {
                return Ok(());
            }
            if let Some((partition, why)) = stopped {
                self.report.notes.push(format!(
                    "the ingestor has stopped partition {partition}: {why}"
                ));
                return Ok(());
            }
            if started.elapsed() >= patience {
                remark(format_args!(
                    "the ingestor is {lag} records behind after {patience:?}: is it running?"
                ));
                return Ok(());
            }
            step.doing(&format!("waiting for the ingestor, {lag} records behind"));
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// A partition with records that nobody has begun to read.
    fn unread(&mut self, partition: i32, end: Watermarks) {
        self.report.differences.push(Difference {
            table: "stream_checkpoints",
            fault: Fault::Missing,
            subject: format!("partition {partition}"),
            game_id: None,
            partition: Some(partition),
            offset: None,
            field: None,
            expected: Some(format!("a checkpoint at {}", end.high)),
            found: Some("none: no ingestor has read this partition".to_owned()),
        });
    }

    async fn partition(
        &mut self,
        snapshot: &Transaction<'_>,
        checkpoint: &Checkpoint,
        end: Watermarks,
        allow_lag: bool,
    ) -> anyhow::Result<()> {
        let partition = checkpoint.partition;
        let step = Step::start("verify", &format!("folding partition {partition}"));
        let watermarks = self.watermarks(partition).await?;
        let before = over_before(snapshot, partition, watermarks).await?;
        let fold = self
            .fold(partition, watermarks.low, checkpoint.next_offset, before)
            .await?;
        step.doing(&format!("comparing partition {partition}"));
        self.count(&fold);
        self.note_ids(partition, &fold);
        let found = &mut self.report.differences;
        if checkpoint.next_offset < end.high && !allow_lag {
            found.push(Difference {
                field: Some("next_offset".to_owned()),
                expected: Some(end.high.to_string()),
                found: Some(checkpoint.next_offset.to_string()),
                ..checkpoint_fault(partition)
            });
        }
        if usize::try_from(checkpoint.partition_count).ok() != Some(self.partition_count) {
            found.push(Difference {
                field: Some("partition_count".to_owned()),
                expected: Some(self.partition_count.to_string()),
                found: Some(checkpoint.partition_count.to_string()),
                ..checkpoint_fault(partition)
            });
        }
        found.extend(
            Games::new(partition, &checkpoint.topic_id, watermarks.low, &fold)
                .compare(snapshot)
                .await?,
        );
        let view = Partition {
            fold: &fold,
            checkpoint,
            scope: &self.scope,
            watermarks,
        };
        found.extend(view.dead_letters(snapshot).await?);
        let (snapshots, differences) = view.live_games(snapshot).await?;
        self.report.compared.live_snapshots += snapshots;
        found.extend(differences);
        if watermarks.low > 0 {
            self.note_beginning(partition, watermarks.low, &fold);
        }
        // Only the counters are looked at again; the games would fill the memory.
        let counts = Fold {
            counts: fold.counts,
            ..Fold::default()
        };
        self.folded.push((counts, checkpoint.clone(), watermarks));
        Ok(())
    }

    async fn watermarks(&self, partition: i32) -> anyhow::Result<Watermarks> {
        let log = Arc::clone(&self.log);
        spawn_blocking(move || log.watermarks(partition)).await?
    }

    async fn fold(
        &self,
        partition: i32,
        from: i64,
        to: i64,
        over_before: HashMap<Box<str>, Box<str>>,
    ) -> anyhow::Result<Fold> {
        let log = Arc::clone(&self.log);
        spawn_blocking(move || {
            let mut fold = Fold {
                over_before,
                ..Fold::default()
            };
            log.read(partition, from, to, |record, headers| {
                fold.record(record, headers);
            })?;
            Ok(fold)
        })
        .await?
    }

    /// Kafka has removed the beginning of a partition: what can't be judged any more is left out, and said.
    fn note_beginning(&mut self, partition: i32, low: i64, fold: &Fold) {
        let begun_before = fold.may_have_begun_before();
        self.report.notes.push(format!(
            "partition {partition} begins at offset {low}: {} games that ended before are taken as they are, and {} that may have \
             begun before are not compared",
            fold.over_before.len(),
            begun_before.len()
        ));
        self.begun_before
            .extend(begun_before.into_iter().map(String::from));
    }

    /// Holes that an operator has accepted are no differences; what they have cost is told.
    async fn tell_gaps(&mut self, snapshot: &Transaction<'_>, ends: &Ends) -> anyhow::Result<()> {
        for gap in database::accepted_gaps(snapshot, &self.scope).await? {
            let Some(marks) = ends.get(&gap.partition) else {
                continue;
            };
            let lost = gap.to_offset - gap.from_offset;
            self.report.notes.push(format!(
                "partition {}: {} accepted that offsets {} to {} are lost, {lost} of them new ({})",
                gap.partition, gap.accepted_by, gap.replay_from, gap.to_offset, gap.reason
            ));
            // What was given up can't be there still.
            if gap.from_offset < gap.to_offset && marks.low < gap.to_offset {
                self.report.differences.push(Difference {
                    table: "accepted_gaps",
                    field: Some("to_offset".to_owned()),
                    expected: Some(format!("at most the log's beginning, {}", marks.low)),
                    found: Some(gap.to_offset.to_string()),
                    ..checkpoint_fault(gap.partition)
                });
            }
        }
        Ok(())
    }

    fn count(&mut self, fold: &Fold) {
        let compared = &mut self.report.compared;
        compared.partitions += 1;
        compared.records += fold.records();
        compared.finished_games += fold.finished.len() as u64;
        compared.live_games += fold.live.len() as u64;
        for game in fold.finished.values() {
            compared.moves += game.moves.len() as u64;
            compared.player_rows += game.beginning.players.len() as u64;
        }
        compared.count(&fold.counts);
    }

    fn note_ids(&mut self, partition: i32, fold: &Fold) {
        let ids = fold
            .live
            .keys()
            .chain(fold.finished.keys())
            .chain(&fold.strangers);
        for id in ids {
            let home = self.homes.entry(id.clone()).or_insert(partition);
            if *home != partition {
                self.split.insert(id.to_string());
            }
        }
    }

    /// Judges counters, and takes back what was found about games that stand on two partitions where either may have won.
    async fn settle(&mut self, snapshot: &Transaction<'_>) -> anyhow::Result<()> {
        let begun_before = &self.begun_before;
        self.report.differences.retain(|difference| {
            let game = difference.game_id.as_ref();
            !game.is_some_and(|id| begun_before.contains(id))
        });
        if !self.split.is_empty() {
            let split: Vec<String> = self.split.iter().cloned().collect();
            let homes: HashMap<String, i32> = database::homes(snapshot, &split)
                .await?
                .into_iter()
                .collect();
            self.report
                .differences
                .retain(|d| !excused(d, &self.split, &homes));
            self.report.notes.push(format!(
                "{} games stand on more than one partition, such as {}: whichever end was committed first is right",
                split.len(),
                split[0]
            ));
        }
        for (fold, checkpoint, watermarks) in &self.folded {
            let split = self.split_counts(checkpoint, *watermarks).await?;
            let partition = Partition {
                fold,
                checkpoint,
                scope: &self.scope,
                watermarks: *watermarks,
            };
            self.report.differences.extend(partition.counters(&split));
        }
        Ok(())
    }

    /// How many records of each verdict belong to games that may have been judged another way: the log is read once more, as
    /// this is rare.
    async fn split_counts(
        &self,
        checkpoint: &Checkpoint,
        marks: Watermarks,
    ) -> anyhow::Result<[u64; VERDICTS]> {
        let uncertain: BTreeSet<String> = self.split.union(&self.begun_before).cloned().collect();
        if uncertain.is_empty() {
            return Ok([0; VERDICTS]);
        }
        let log = Arc::clone(&self.log);
        let (partition, to) = (checkpoint.partition, checkpoint.next_offset);
        spawn_blocking(move || {
            let (mut fold, mut counts) = (Fold::default(), [0; VERDICTS]);
            log.read(partition, marks.low, to, |record, _| {
                let verdict = fold.record(record, || None);
                let event = decode(record.key, record.value);
                if event.is_ok_and(|event| uncertain.contains(&*event.game_id)) {
                    counts[verdict.place()] += 1;
                }
            })?;
            Ok(counts)
        })
        .await?
    }

    async fn strays(&mut self, snapshot: &Transaction<'_>, ends: &Ends) -> anyhow::Result<()> {
        let partitions: Vec<i32> = ends.keys().copied().collect();
        for (table, subject, why) in database::strays(snapshot, &self.scope, &partitions).await? {
            self.report.differences.push(Difference {
                table,
                fault: Fault::Extra,
                subject,
                game_id: None,
                partition: None,
                offset: None,
                field: None,
                expected: None,
                found: Some(why.to_owned()),
            });
        }
        Ok(())
    }
}

/// The games that were over before a partition's log begins.
async fn over_before(
    snapshot: &Transaction<'_>,
    partition: i32,
    marks: Watermarks,
) -> anyhow::Result<HashMap<Box<str>, Box<str>>> {
    if marks.low == 0 {
        return Ok(HashMap::new());
    }
    let before = database::over_before(snapshot, partition, marks.low).await?;
    let before = before.into_iter();
    Ok(before.map(|(id, end)| (id.into(), end.into())).collect())
}

fn checkpoint_fault(partition: i32) -> Difference {
    Difference {
        table: "stream_checkpoints",
        fault: Fault::Differs,
        subject: format!("partition {partition}"),
        game_id: None,
        partition: Some(partition),
        offset: None,
        field: None,
        expected: None,
        found: None,
    }
}

/// Whether a difference only says that the other partition's end of a split game was committed first. A row that is there
/// is judged by the partition the directory has it from, and must be right in everything.
fn excused(
    difference: &Difference,
    split: &BTreeSet<String>,
    homes: &HashMap<String, i32>,
) -> bool {
    let Some(id) = difference.game_id.as_ref().filter(|id| split.contains(*id)) else {
        return false;
    };
    match difference.table {
        "dead_letters" | "live_games" => true,
        _ => {
            difference.fault == Fault::Missing
                && homes
                    .get(id)
                    .is_some_and(|home| Some(*home) != difference.partition)
        }
    }
}
