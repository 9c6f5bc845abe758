//! The players of a game as its row has them: JSON, read once into what the domain knows.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::Jsonb;
use domain::FinishedPlayer;

use crate::StoreError;

/// The column `games.players`.
#[derive(Debug, Clone, PartialEq, Eq, FromSqlRow)]
pub struct PlayersColumn(Vec<u8>);

impl PlayersColumn {
    /// The players in seat order.
    pub(super) fn read(&self, operation: &'static str) -> Result<Vec<FinishedPlayer>, StoreError> {
        let damaged = |detail: String| StoreError::Damaged { operation, detail };
        // Postgres puts the version of its format before the text.
        let text = match self.0.split_first() {
            Some((1, text)) => text,
            _ => {
                return Err(damaged(
                    "games.players: an unknown format of jsonb".to_owned(),
                ));
            }
        };
        serde_json::from_slice(text).map_err(|error| damaged(format!("games.players: {error}")))
    }
}

impl FromSql<Jsonb, Pg> for PlayersColumn {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(value.as_bytes().to_vec()))
    }
}
