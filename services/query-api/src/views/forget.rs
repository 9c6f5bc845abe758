//! Which games to forget, and how many were.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which games to forget: these, or all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CacheInvalidateRequest)]
pub(crate) struct ForgetBody {
    /// The games' ids, 1 to 300, each once.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 300, example = json!(["q7ZvsdUF"]))]
    pub(crate) ids: Option<Vec<String>>,
    /// Every game.
    #[serde(default)]
    pub(crate) all: bool,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheInvalidated)]
pub(crate) struct ForgottenView {
    /// How many games were in memory, and are not any more.
    #[schema(example = 1)]
    pub(crate) forgotten: u64,
}
