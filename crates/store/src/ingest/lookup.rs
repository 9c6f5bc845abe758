//! Asking the directory which games have ended, before they are folded.

use std::collections::HashMap;

use diesel::sql_types::{Array, BigInt, Integer, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl;
use domain::GameId;

use super::IngestSession;
use crate::StoreError;
use crate::kept::Keep as _;

/// A game that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its end's fingerprint.
    pub end: String,
    /// The topic its end was read from.
    pub topic_id: String,
    /// The partition its end was read from.
    pub partition: i32,
    /// The offset its end was read from.
    pub end_offset: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    game_id: String,
    #[diesel(sql_type = Text)]
    end: String,
    #[diesel(sql_type = Text)]
    topic_id: String,
    #[diesel(sql_type = Integer)]
    partition: i32,
    #[diesel(sql_type = BigInt)]
    end_offset: i64,
}

impl IngestSession {
    /// The entries of those games that have ended.
    ///
    /// # Errors
    /// [`StoreError`] when the session failed: it must not be used again.
    pub async fn look_up(
        &mut self,
        ids: &[&str],
    ) -> Result<HashMap<GameId, DirectoryEntry>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        // A probe for each id: `= ANY` would look for every id in every hash partition. `OFFSET 0` keeps the join from being turned
        // around, which a plan made while the directory was empty would do.
        let rows = sql_query(
            "SELECT d.game_id, d.\"end\", d.topic_id, d.partition, d.end_offset FROM UNNEST($1::text[]) AS u(game_id) \
             CROSS JOIN LATERAL (SELECT * FROM game_directory WHERE game_directory.game_id = u.game_id OFFSET 0) AS d",
        )
        .bind::<Array<Text>, _>(ids)
        .kept()
        .load::<Row>(&mut self.connection)
        .await
        .map_err(StoreError::query("look games up in the directory"))?;
        rows.into_iter()
            .map(|row| {
                let game_id =
                    GameId::try_from(row.game_id).map_err(|source| StoreError::Damaged {
                        operation: "reading a game id",
                        detail: format!("{}: {source}", "game_directory.game_id"),
                    })?;
                let Row {
                    end,
                    topic_id,
                    partition,
                    end_offset,
                    ..
                } = row;
                Ok((
                    game_id,
                    DirectoryEntry {
                        end,
                        topic_id,
                        partition,
                        end_offset,
                    },
                ))
            })
            .collect()
    }
}
