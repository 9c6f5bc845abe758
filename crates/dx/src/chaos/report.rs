//! What an attack came to, for a person and for a program.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::archive::Told;
use super::attack::Event;
use super::evidence::{Demand, Evidence};
use super::proxy::Losses;
use super::sampler::Testimony;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Attacked, and nothing was lost, doubled or reordered.
    Held,
    /// Something broke.
    Broken,
    /// Nothing broke, and too little was done to break it.
    DidNotAttack,
}

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) minutes: f64,
    pub(super) members: usize,
    pub(super) rate: u64,
    pub(super) outcome: Outcome,
    /// How long the attack went on, blows that overran included.
    pub(super) attacked_s: f64,
    /// How long the ingestors took to catch up after it, until the judge was through.
    pub(super) settled_s: f64,
    pub(super) actions: BTreeMap<&'static str, u64>,
    pub(super) losses: Losses,
    pub(super) evidence: Evidence,
    /// What became of the archivers, where there were any.
    pub(super) archive: Option<Told>,
    pub(super) demand: Demand,
    /// What of the demand was not met.
    pub(super) missing: Vec<String>,
    /// Parts of the attack that this machine does not allow.
    pub(super) not_attacked: Vec<&'static str>,
    pub(super) sampler: Testimony,
    /// What `verify` compared, in its own words.
    pub(super) compared: Value,
    pub(super) faults: Vec<String>,
    pub(super) timeline: Vec<Event>,
}

impl Report {
    /// What the faults and the evidence come to.
    pub(super) fn judge(faults: &[String], missing: &[String]) -> Outcome {
        match (faults, missing) {
            ([_, ..], _) => Outcome::Broken,
            ([], [_, ..]) => Outcome::DidNotAttack,
            ([], []) => Outcome::Held,
        }
    }

    /// The lines for a person.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "chaos --seed {} --minutes {} --members {}: {:.0} s of attack, {:.0} s to settle",
            self.seed, self.minutes, self.members, self.attacked_s, self.settled_s
        )];
        lines.push("done".to_owned());
        lines.extend(self.actions.iter().map(|(kind, count)| row(kind, *count)));
        lines.push("what it did to the ingestors".to_owned());
        let (evidence, sampler) = (&self.evidence, &self.sampler);
        let seen = [
            ("fenced commits", evidence.fenced_commits),
            ("unknown commit outcomes", evidence.unknown_commit_outcomes),
            ("COMMITs lost before the server", self.losses.commits_lost),
            ("connections cut", self.losses.connections_cut),
            ("sessions lost", evidence.sessions_lost),
            ("batches tried again", evidence.batches_retried),
            ("  refused by a full disk", evidence.disk_full_refusals),
            ("rebalances", evidence.rebalances),
            ("claims", evidence.claims),
            ("  with a replay", evidence.replays),
            ("records replayed", evidence.replayed_records),
        ];
        lines.extend(seen.map(|(name, count)| row(name, count)));
        lines.extend(self.archive.iter().flat_map(archive_lines));
        lines.push("what was looked at".to_owned());
        let compared = |name: &str| self.compared[name].as_u64().unwrap_or_default();
        let looked = [
            ("looks at the checkpoints", sampler.looks),
            ("counters added up", sampler.counters_added_up),
            ("dead letters counted", sampler.dead_letters_counted),
            ("finished games watched", sampler.games_watched),
            ("  looked at again", sampler.games_seen_again),
            ("records verified", compared("records")),
            ("finished games verified", compared("finished_games")),
            ("live games verified", compared("live_games")),
        ];
        lines.extend(looked.map(|(name, count)| row(name, count)));
        if let Some(archive) = &self.archive {
            let compared = &archive.compared;
            let looked = [
                ("links of the archive", compared.links),
                ("files of the archive", compared.files),
                ("archived records compared", compared.records),
                ("orphan files swept at last", compared.swept_at_last),
            ];
            lines.extend(looked.map(|(name, count)| row(name, count)));
        }
        lines.extend(
            self.not_attacked
                .iter()
                .map(|what| format!("not attacked: {what}")),
        );
        lines.extend(self.missing.iter().map(|what| format!("missing: {what}")));
        lines.extend(self.faults.iter().map(|what| format!("fault: {what}")));
        lines.push(
            match self.outcome {
                Outcome::Held => "it held: nothing lost, nothing doubled, nothing out of order",
                Outcome::Broken => "it broke",
                Outcome::DidNotAttack => "it did not attack enough to prove anything",
            }
            .to_owned(),
        );
        lines
    }
}

fn row(name: &str, count: u64) -> String {
    format!("  {name:<34} {count:>12}")
}

fn archive_lines(told: &Told) -> Vec<String> {
    let evidence = &told.evidence;
    let seen = [
        ("archivers killed", evidence.killed),
        ("archivers that woke up as zombies", evidence.woken),
        ("batches fenced", evidence.fenced),
        ("claims", evidence.claims),
        ("requests refused", evidence.refused),
        ("creates whose answer was lost", evidence.answers_lost),
        ("  found to stand already", evidence.own_links_found),
        ("requests slowed down", evidence.slowed),
        ("requests held back", evidence.stalled),
        ("connections to the store cut", evidence.cut),
        ("requests tried again", evidence.tried_again),
        ("orphan files swept by owners", evidence.swept),
    ];
    let head = format!("what it did to {} archivers", told.archivers);
    let rows = seen.map(|(name, count)| row(name, count));
    std::iter::once(head).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Report};

    #[test]
    fn a_fault_breaks_a_run_and_a_run_without_evidence_does_not_count() {
        let (none, one) = (Vec::new(), vec!["x".to_owned()]);
        assert_eq!(Report::judge(&none, &none), Outcome::Held);
        assert_eq!(Report::judge(&one, &none), Outcome::Broken);
        assert_eq!(Report::judge(&one, &one), Outcome::Broken);
        assert_eq!(Report::judge(&none, &one), Outcome::DidNotAttack);
    }
}
