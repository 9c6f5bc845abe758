//! Which links are compacted next.
//!
//! A gap that an operator accepted stands alone: whoever reads the log is told of it by its link. A link with files belongs to the
//! latest of its files' days. Days after tomorrow are a producer's wrong clock and say nothing: they must not keep a
//! partition from ever being compacted.

use archive::Chain;
use archive::chain::Link;
use archive::compaction::{CompactedFolder, CompactedHead};
use archive::keys::RawFolder;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::config::CompactConfig;

/// The links after `head` that are compacted together: of one closed day, or as many as fit.
///
/// # Errors
/// A damaged link, or what the store answered.
pub(super) async fn next_stretch(
    chain: &Chain,
    head: &CompactedHead,
    config: &CompactConfig,
    now: DateTime<Utc>,
) -> archive::Result<Vec<Link>> {
    let wait = TimeDelta::from_std(config.close_after).unwrap_or(TimeDelta::MAX);
    let open = now
        .checked_sub_signed(wait)
        .map_or(NaiveDate::default(), |time| time.date_naive());
    let mut links = chain.links(head.next_link);
    let mut stretch = Stretch::default();
    while let Some(link) = links.next().await? {
        let day = day_of(&link, now.date_naive() + Days::new(1))?;
        let gap = link.manifest.gap.is_some();
        let alone = gap && !stretch.links.is_empty();
        if alone || !stretch.takes(day, link.manifest.bytes(), open, config.stretch_bytes) {
            break;
        }
        stretch.links.push(link);
        if gap {
            break;
        }
    }
    Ok(stretch.links)
}

#[derive(Default)]
struct Stretch {
    links: Vec<Link>,
    day: Option<NaiveDate>,
    bytes: u64,
}

impl Stretch {
    /// Whether a link of this day and size still belongs to it.
    fn takes(
        &mut self,
        day: Option<NaiveDate>,
        bytes: u64,
        first_open: NaiveDate,
        limit: u64,
    ) -> bool {
        let another_day = self.day.is_some() && day.is_some() && day != self.day;
        let open = day.is_some_and(|day| day >= first_open);
        let full = !self.links.is_empty() && self.bytes.saturating_add(bytes) > limit;
        if another_day || open || full {
            return false;
        }
        self.day = self.day.or(day);
        self.bytes = self.bytes.saturating_add(bytes);
        true
    }
}

/// The latest day of a link's files up to `latest`; none of a link without such files.
pub(crate) fn day_of(link: &Link, latest: NaiveDate) -> archive::Result<Option<NaiveDate>> {
    let mut day = None;
    for file in &link.manifest.files {
        let (topic, folder) = RawFolder::parse(&file.key.folder())?;
        let found = CompactedFolder::of(&topic, &folder).day;
        if found <= latest {
            day = day.max(Some(found));
        }
    }
    Ok(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(2026, 11, day)
    }

    #[test]
    fn a_stretch_ends_with_its_day_before_an_open_one_and_when_it_is_full() {
        let open = day(20).unwrap();
        let mut stretch = Stretch::default();
        assert!(stretch.takes(day(18), 10, open, 100));
        assert!(stretch.takes(None, 10, open, 100));
        assert!(!stretch.takes(day(19), 10, open, 100));
        assert!(stretch.takes(day(18), 10, open, 100));
        assert!(!Stretch::default().takes(day(20), 10, open, 100));
        assert!(
            Stretch::default().takes(day(19), 1_000, open, 100),
            "one link is always taken"
        );
    }
}
