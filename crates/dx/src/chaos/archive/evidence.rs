//! Proof that archivers were attacked: what was done to them, and what their own logs say of it.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use test_support::StoreFaults;

/// What was done to the archivers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::chaos) struct Blows {
    /// Archivers that were killed.
    pub(in crate::chaos) killed: u64,
    /// Archivers that were stopped and woke up as zombies.
    pub(in crate::chaos) woken: u64,
}

/// What happened to the archivers.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(in crate::chaos) struct Evidence {
    pub(in crate::chaos) killed: u64,
    pub(in crate::chaos) woken: u64,
    /// Requests to the store that were refused and never carried out.
    pub(in crate::chaos) refused: u64,
    /// Creates that were carried out and whose sender never heard.
    pub(in crate::chaos) answers_lost: u64,
    /// Requests that were answered late.
    pub(in crate::chaos) slowed: u64,
    /// Requests that were held back.
    pub(in crate::chaos) stalled: u64,
    /// Connections to the store that were cut.
    pub(in crate::chaos) cut: u64,
    pub(in crate::chaos) claims: u64,
    /// Batches that lost their place in the chain to another archiver.
    pub(in crate::chaos) fenced: u64,
    /// Requests that failed and were tried again.
    pub(in crate::chaos) tried_again: u64,
    /// Links that were told "already exists" of themselves.
    pub(in crate::chaos) own_links_found: u64,
    /// Orphan files that owners removed.
    pub(in crate::chaos) swept: u64,
    /// Partitions that gave up until an operator comes. There must be none.
    pub(in crate::chaos) stops: Vec<String>,
    /// Panics. There must be none.
    pub(in crate::chaos) panics: Vec<String>,
}

impl Evidence {
    /// Reads the logs.
    ///
    /// # Errors
    /// A log can't be read.
    pub(in crate::chaos) fn gather(
        logs: &[PathBuf],
        blows: Blows,
        faults: StoreFaults,
    ) -> anyhow::Result<Self> {
        let mut evidence = Self {
            killed: blows.killed,
            woken: blows.woken,
            refused: faults.refused,
            answers_lost: faults.answers_lost,
            slowed: faults.slowed,
            stalled: faults.stalled,
            cut: faults.cut,
            ..Self::default()
        };
        for path in logs {
            let text =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            for line in String::from_utf8_lossy(&text).lines() {
                evidence.line(line);
            }
        }
        Ok(evidence)
    }

    fn line(&mut self, line: &str) {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            if line.contains("panicked at") {
                self.panics.push(line.to_owned());
            }
            return;
        };
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        match text("message") {
            "claimed" => self.claims += 1,
            "forgetting the partition's open batch; it will be claimed again" => {
                self.fenced += u64::from(text("reason").starts_with("fenced"));
            }
            "the store fails; trying again" => self.tried_again += 1,
            "the link stands already: the answer to an earlier try was lost" => {
                self.own_links_found += 1;
            }
            "removed files of attempts that did not count" => {
                self.swept += value["files"].as_u64().unwrap_or_default();
            }
            message if message.starts_with("partition stopped") => self.stops.push(format!(
                "archiver, partition {}: {}: {}",
                value["partition"],
                text("reason"),
                text("detail")
            )),
            _ => {}
        }
    }

    /// What is missing for the run to count.
    pub(in crate::chaos) fn missing(&self) -> Vec<String> {
        let store_faults = self.refused + self.answers_lost + self.cut;
        let wanted = [
            ("archivers killed", self.killed),
            ("archivers that woke up as zombies", self.woken),
            ("faults of the object store", store_faults),
        ];
        let short = wanted.iter().filter(|(_, seen)| *seen == 0);
        short
            .map(|(name, _)| format!("{name}: 0 of at least 1"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Blows, Evidence, StoreFaults};

    fn gather(lines: &str, blows: Blows, faults: StoreFaults) -> Evidence {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archiver-1.log");
        std::fs::write(&path, lines).unwrap();
        Evidence::gather(&[path], blows, faults).unwrap()
    }

    const LINES: &str = r#"
{"message":"claimed","partition":1}
{"message":"forgetting the partition's open batch; it will be claimed again","reason":"fenced: another archiver has written this place of the chain"}
{"message":"forgetting the partition's open batch; it will be claimed again","reason":"the log can't be read on"}
{"message":"the store fails; trying again","error":"x"}
{"message":"the link stands already: the answer to an earlier try was lost","key":"x"}
{"message":"removed files of attempts that did not count","files":3}
{"message":"partition stopped; see","partition":3,"reason":"log_gap","detail":"d"}
thread 'main' panicked at src/x.rs:1:1:
"#;

    #[test]
    fn the_archivers_logs_tell_what_happened() {
        let faults = StoreFaults {
            refused: 2,
            ..StoreFaults::default()
        };
        let blows = Blows {
            killed: 1,
            woken: 1,
        };
        let evidence = gather(LINES, blows, faults);
        let expected = Evidence {
            killed: 1,
            woken: 1,
            refused: 2,
            claims: 1,
            fenced: 1,
            tried_again: 1,
            own_links_found: 1,
            swept: 3,
            stops: vec!["archiver, partition 3: log_gap: d".to_owned()],
            panics: vec!["thread 'main' panicked at src/x.rs:1:1:".to_owned()],
            ..Evidence::default()
        };
        assert_eq!(evidence, expected);
        assert_eq!(evidence.missing(), [] as [String; 0]);
    }

    #[test]
    fn archivers_that_were_left_alone_prove_nothing() {
        let evidence = gather("", Blows::default(), StoreFaults::default());
        assert_eq!(evidence.missing().len(), 3);
    }
}
