//! Proof that a run attacked: what the ingestors' own logs say happened to them.

use std::path::PathBuf;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::proxy::Losses;

/// Assignments closer together than this are one rebalance, whichever members tell of them.
const ONE_REBALANCE_MS: i64 = 1_500;

/// What happened to the ingestors.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Evidence {
    /// Batches refused because another owner had claimed the partition.
    pub(super) fenced_commits: u64,
    /// COMMITs that the server carried out and whose sender never heard.
    pub(super) unknown_commit_outcomes: u64,
    /// Claims that had something to read again.
    pub(super) replays: u64,
    pub(super) replayed_records: u64,
    pub(super) rebalances: u64,
    pub(super) claims: u64,
    pub(super) sessions_lost: u64,
    /// Batches rolled back by the world and tried again.
    pub(super) batches_retried: u64,
    /// Those of them that a full disk had refused.
    pub(super) disk_full_refusals: u64,
    /// Partitions that gave up until an operator comes, with the reason. There must be none.
    pub(super) stops: Vec<String>,
    /// Panics. There must be none.
    pub(super) panics: Vec<String>,
}

/// The least a run must have seen to count.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Demand {
    pub(super) rebalances: u64,
}

impl Evidence {
    /// Reads the logs.
    ///
    /// # Errors
    /// A log can't be read.
    pub(super) fn gather(logs: &[PathBuf], losses: Losses) -> anyhow::Result<Self> {
        let mut evidence = Self::default();
        let mut moved_at = Vec::new();
        for path in logs {
            let text =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            for line in String::from_utf8_lossy(&text).lines() {
                evidence.line(line, &mut moved_at);
            }
        }
        evidence.rebalances = rebalances(moved_at);
        // A lost reply is an unknown outcome to whoever lost a session over it.
        evidence.unknown_commit_outcomes = losses.replies_lost.min(evidence.sessions_lost);
        Ok(evidence)
    }

    fn line(&mut self, line: &str, moved_at: &mut Vec<DateTime<Utc>>) {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            if line.contains("panicked at") {
                self.panics.push(line.to_owned());
            }
            return;
        };
        let field = |name: &str| &value[name];
        let text = |name: &str| field(name).as_str().unwrap_or_default();
        let message = text("message");
        match message {
            "assigned" | "revoked" => {
                let at = value["timestamp"].as_str();
                moved_at.extend(at.and_then(|at| at.parse::<DateTime<Utc>>().ok()));
            }
            "claimed" => {
                let replay = field("replay_records").as_u64().unwrap_or_default();
                self.claims += 1;
                self.replays += u64::from(replay > 0);
                self.replayed_records += replay;
            }
            "database sessions lost" => self.sessions_lost += 1,
            "batch rolled back; trying it again" => {
                self.batches_retried += 1;
                let full = text("error").contains("No space left");
                self.disk_full_refusals += u64::from(full);
            }
            "batch fenced" => self.fenced_commits += 1,
            _ if message.starts_with("partition stopped") => {
                let partition = field("partition");
                self.stops.push(format!(
                    "partition {partition}: {}: {}",
                    text("reason"),
                    text("detail")
                ));
            }
            _ => {}
        }
    }

    /// What is missing for the run to count.
    pub(super) fn missing(&self, demand: Demand) -> Vec<String> {
        let wanted = [
            ("fenced commits", self.fenced_commits, 1),
            ("unknown commit outcomes", self.unknown_commit_outcomes, 1),
            ("replays", self.replays, 1),
            ("rebalances", self.rebalances, demand.rebalances),
        ];
        let short = wanted.iter().filter(|(_, seen, least)| seen < least);
        short
            .map(|(name, seen, least)| format!("{name}: {seen} of at least {least}"))
            .collect()
    }
}

/// How many rebalances moved partitions at these times.
fn rebalances(mut moved_at: Vec<DateTime<Utc>>) -> u64 {
    moved_at.sort_unstable();
    let gaps = moved_at
        .windows(2)
        .filter(|pair| (pair[1] - pair[0]).num_milliseconds() > ONE_REBALANCE_MS)
        .count();
    u64::from(!moved_at.is_empty()) + gaps as u64
}

#[cfg(test)]
mod tests {
    use super::{Demand, Evidence, Losses};

    fn gather(lines: &str, losses: Losses) -> Evidence {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ingestor-1.log");
        std::fs::write(&path, lines).unwrap();
        Evidence::gather(&[path], losses).unwrap()
    }

    const LINES: &str = r#"
{"timestamp":"2026-11-21T10:00:00.000000Z","level":"INFO","message":"assigned","partition":1}
{"timestamp":"2026-11-21T10:00:01.000000Z","level":"INFO","message":"assigned","partition":2}
{"timestamp":"2026-11-21T10:00:09.000000Z","level":"INFO","message":"revoked","partition":2}
{"timestamp":"2026-11-21T10:00:10.000000Z","message":"claimed","partition":1,"replay_records":0}
{"timestamp":"2026-11-21T10:00:10.000000Z","message":"claimed","partition":1,"replay_records":70}
{"timestamp":"2026-11-21T10:00:11.000000Z","message":"database sessions lost","reason":"closed"}
{"timestamp":"2026-11-21T10:00:11.000000Z","message":"batch fenced","partition":1,"batch.base":7,"batch.next":9}
{"timestamp":"2026-11-21T10:00:11.000000Z","message":"forgetting the partition's memory; it will be claimed again","reason":"the session that owned it is gone","partition":1}
"#;

    #[test]
    fn the_logs_tell_what_happened() {
        let losses = Losses {
            replies_lost: 3,
            ..Losses::default()
        };
        let evidence = gather(LINES, losses);
        let expected = Evidence {
            fenced_commits: 1,
            unknown_commit_outcomes: 1,
            replays: 1,
            replayed_records: 70,
            rebalances: 2,
            claims: 2,
            sessions_lost: 1,
            ..Evidence::default()
        };
        assert_eq!(evidence, expected);
        assert!(evidence.missing(Demand { rebalances: 2 }).is_empty());
        assert_eq!(evidence.missing(Demand { rebalances: 3 }).len(), 1);
    }

    #[test]
    fn a_run_without_blows_is_missing_everything() {
        let evidence = gather("", Losses::default());
        assert_eq!(evidence.missing(Demand { rebalances: 1 }).len(), 4);
    }

    #[test]
    fn a_panic_and_a_stopped_partition_are_told() {
        let lines = "thread 'main' panicked at src/x.rs:1:1:\n{\"message\":\"partition stopped; see\",\"partition\":3,\"reason\":\"log_gap\",\"detail\":\"d\"}";
        let evidence = gather(lines, Losses::default());
        assert_eq!(
            (evidence.panics.len(), evidence.stops),
            (1, vec!["partition 3: log_gap: d".to_owned()])
        );
    }
}
