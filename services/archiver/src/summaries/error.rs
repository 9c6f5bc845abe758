//! What can keep a day from being summed up.

use archive::ArchiveError;
use store::StoreError;

/// A failed step. Trying again is safe after any of them.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// The database.
    #[error(transparent)]
    Database(#[from] StoreError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A stored game names a player that it does not have.
    #[error("game {game_id} is damaged: its move {ply} is by player {player} of {players}")]
    UnknownMover {
        /// The game.
        game_id: String,
        /// The move.
        ply: u32,
        /// The place among the players that the move names.
        player: u8,
        /// How many players there are.
        players: usize,
    },
}
