//! Many games by their ids.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::GameView;

/// Which games are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GamesBatchRequest)]
pub(crate) struct BatchBody {
    /// The games' ids, 1 to 300, each once.
    #[schema(min_items = 1, max_items = 300, example = json!(["q7ZvsdUF", "g-42"]))]
    pub(crate) ids: Vec<String>,
}

/// What there is of each game: the shape of the answer for the document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GamesBatch)]
pub(crate) struct BatchView {
    /// One item an id, in the order of the ids.
    data: Vec<BatchItem>,
}

/// What there is of a game.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GamesBatchItem)]
pub(crate) struct BatchItem {
    /// The id that was asked for.
    #[schema(example = "q7ZvsdUF")]
    id: String,
    /// Whether it was found.
    status: BatchItemStatus,
    /// The game, where it was found.
    #[schema(required)]
    game: Option<GameView>,
}

/// Whether a game was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BatchItemStatus {
    /// Here it is.
    Found,
    /// Nobody knows it.
    Missing,
    /// It is known and no longer kept.
    Gone,
}
