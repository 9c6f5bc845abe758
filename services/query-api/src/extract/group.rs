//! `group_by`, `min_games` and `limit` of statistics.

use store::read::{GroupKey, Grouping};

use super::{Params, Refusal, number};

/// By how many keys games can be grouped.
const MAX_KEYS: usize = 3;
/// Groups without `limit`.
const DEFAULT_GROUPS: i64 = 100;
/// The most groups.
const MAX_GROUPS: i64 = 1_000;
/// The most that `min_games` may ask for.
const MAX_MIN_GAMES: i64 = 1_000_000;

/// Takes the groups that are wanted.
pub(crate) fn grouping(params: &mut Params) -> Grouping {
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Grouping {
        by: params.take("group_by", keys).unwrap_or_default(),
        min_games: params
            .take("min_games", |text| number(text, 1, MAX_MIN_GAMES))
            .map_or(1, small),
        limit: params
            .take("limit", |text| number(text, 1, MAX_GROUPS))
            .map_or(small(DEFAULT_GROUPS), small),
        common: false,
    }
}

fn keys(text: &str) -> Result<Vec<GroupKey>, Refusal> {
    let mut keys = Vec::new();
    for name in text.split(',') {
        let key = GroupKey::ALL.into_iter().find(|key| key.as_str() == name);
        let Some(key) = key else {
            let names: Vec<&str> = GroupKey::ALL.iter().map(|key| key.as_str()).collect();
            let detail = format!("must be joined by commas from {}", names.join(", "));
            return Err(Refusal::new("malformed", detail));
        };
        if keys.contains(&key) {
            return Err(Refusal::new("repeated", "must name each key once"));
        }
        keys.push(key);
    }
    match keys.len() {
        0..=MAX_KEYS => Ok(keys),
        _ => Err(Refusal::new("out-of-range", "must name at most three keys")),
    }
}
