//! Which chains a command is about.

use archive::chain::chains_of;
use archive::{ArchiveStore, Chain, TopicId, TopicName};

/// A topic, and what of it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Selection {
    /// The topic
    #[arg(long, default_value = events::GAME_EVENTS_TOPIC)]
    pub(crate) topic: String,
    /// Only the log with this topic id, where the topic was deleted and made again
    #[arg(long)]
    pub(crate) topic_id: Option<String>,
    /// Only this partition
    #[arg(long)]
    pub(crate) partition: Option<i32>,
}

impl Selection {
    /// The chains, by log and partition.
    pub(crate) async fn chains(&self, store: &ArchiveStore) -> anyhow::Result<Vec<Chain>> {
        let topic = TopicName::parse(&self.topic)?;
        let wanted = self.topic_id.as_deref().map(TopicId::parse).transpose()?;
        let all = chains_of(store, &topic).await?;
        let chains: Vec<Chain> = all
            .into_iter()
            .filter(|id| wanted.as_ref().is_none_or(|wanted| id.topic_id == *wanted))
            .filter(|id| self.partition.is_none_or(|wanted| id.partition == wanted))
            .map(|id| Chain::new(store.clone(), id))
            .collect();
        if chains.is_empty() {
            anyhow::bail!("{} has nothing of {}", store.url(), self.described());
        }
        Ok(chains)
    }

    /// The chains of one log: a command that puts records in order can't mix two.
    pub(crate) async fn one_log(&self, store: &ArchiveStore) -> anyhow::Result<Vec<Chain>> {
        let chains = self.chains(store).await?;
        let mut logs: Vec<String> = chains
            .iter()
            .map(|chain| chain.id().topic_id.to_string())
            .collect();
        logs.dedup();
        if logs.len() > 1 {
            anyhow::bail!(
                "{} was deleted and made again: choose one log by --topic-id, of {}",
                self.topic,
                logs.join(", ")
            );
        }
        Ok(chains)
    }

    fn described(&self) -> String {
        let partition = self
            .partition
            .map(|partition| format!(" partition {partition}"));
        let log = self
            .topic_id
            .as_ref()
            .map(|id| format!(" with the id {id}"));
        format!(
            "the topic {}{}{}",
            self.topic,
            log.unwrap_or_default(),
            partition.unwrap_or_default()
        )
    }
}
