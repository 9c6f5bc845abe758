//! A player's game as a row.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, Int32Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use chrono::{DateTime, Utc};

use super::arrays::{
    Found, booleans, instants, lists, numbers, optional, optional_numbers, optional_texts,
    required, texts, time_type, times,
};
use super::encode_fault;
use super::layout::{Kind, RevisionNumber};
use super::read::SummaryRow;
use crate::Result;

/// One player's seat in a finished game, with everything a list of games shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerRow {
    /// Who.
    pub player_id: String,
    /// When the game ended.
    pub ended_at: DateTime<Utc>,
    /// The game.
    pub game_id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Which side or seat.
    pub role: String,
    /// `win`, `loss`, `draw` or `none`.
    pub result: String,
    /// The other players, in seat order.
    pub opponents: Vec<String>,
    /// The opponent's rating before the game, where there is exactly one.
    pub opponent_rating: Option<i32>,
    /// The rating before the game.
    pub rating: Option<i32>,
    /// The rating after it.
    pub rating_after: Option<i32>,
    /// Which game, such as `chess`.
    pub game: String,
    /// By which rules.
    pub variant: String,
    /// In which setting, such as `rated`.
    pub mode: String,
    /// How time was kept.
    pub time_control: Option<String>,
    /// The region as the game's create gave it; the folder's is made of it.
    pub game_region: Option<String>,
    /// The tournament.
    pub tournament: Option<String>,
    /// By what the game ended.
    pub termination: String,
    /// The opening's code.
    pub opening_code: Option<String>,
    /// The opening's name.
    pub opening_name: Option<String>,
    /// How many moves are stored.
    pub move_count: i32,
    /// Whether moves are missing.
    pub incomplete: bool,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    Arc::new(Schema::new(vec![
        required("player_id", DataType::Utf8),
        required("ended_at", time_type()),
        required("game_id", DataType::Utf8),
        required("started_at", time_type()),
        required("role", DataType::Utf8),
        required("result", DataType::Utf8),
        required("opponents", DataType::List(item)),
        optional("opponent_rating", DataType::Int32),
        optional("rating", DataType::Int32),
        optional("rating_after", DataType::Int32),
        required("game", DataType::Utf8),
        required("variant", DataType::Utf8),
        required("mode", DataType::Utf8),
        optional("time_control", DataType::Utf8),
        optional("game_region", DataType::Utf8),
        optional("tournament", DataType::Utf8),
        required("termination", DataType::Utf8),
        optional("opening_code", DataType::Utf8),
        optional("opening_name", DataType::Utf8),
        required("move_count", DataType::Int32),
        required("incomplete", DataType::Boolean),
        required("revision", DataType::UInt32),
    ]))
});

impl SummaryRow for PlayerRow {
    const KIND: Kind = Kind::Players;
    const ROWS_PER_GROUP: usize = 131_072;
    type Key = (String, DateTime<Utc>, String);

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn key(&self) -> Self::Key {
        (self.player_id.clone(), self.ended_at, self.game_id.clone())
    }

    fn file_key(&self) -> &str {
        &self.player_id
    }

    fn to_batch(rows: &[Self], revision: RevisionNumber) -> Result<RecordBatch> {
        let text = |value: fn(&Self) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
        };
        let text_if = |value: fn(&Self) -> Option<&str>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<StringArray>())
        };
        let number_if = |value: fn(&Self) -> Option<i32>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<Int32Array>())
        };
        let mut opponents = ListBuilder::new(StringBuilder::new());
        for row in rows {
            opponents.append_value(row.opponents.iter().map(Some));
        }
        let move_counts = Int32Array::from_iter_values(rows.iter().map(|row| row.move_count));
        let incomplete: BooleanArray = rows.iter().map(|row| Some(row.incomplete)).collect();
        let columns: Vec<ArrayRef> = vec![
            text(|row| &row.player_id),
            times(rows.iter().map(|row| row.ended_at)),
            text(|row| &row.game_id),
            times(rows.iter().map(|row| row.started_at)),
            text(|row| &row.role),
            text(|row| &row.result),
            Arc::new(opponents.finish()),
            number_if(|row| row.opponent_rating),
            number_if(|row| row.rating),
            number_if(|row| row.rating_after),
            text(|row| &row.game),
            text(|row| &row.variant),
            text(|row| &row.mode),
            text_if(|row| row.time_control.as_deref()),
            text_if(|row| row.game_region.as_deref()),
            text_if(|row| row.tournament.as_deref()),
            text(|row| &row.termination),
            text_if(|row| row.opening_code.as_deref()),
            text_if(|row| row.opening_name.as_deref()),
            Arc::new(move_counts),
            Arc::new(incomplete),
            Arc::new(UInt32Array::from_value(revision.get(), rows.len())),
        ];
        RecordBatch::try_new(Self::schema(), columns).map_err(encode_fault)
    }

    fn from_batch(batch: &RecordBatch) -> Found<Vec<Self>> {
        let mut required_texts = Required::read(batch)?;
        let (ended_at, started_at) = (instants(batch, "ended_at")?, instants(batch, "started_at")?);
        let (names, opponents) = lists(batch, "opponents")?;
        let names = names
            .as_string_opt::<i32>()
            .ok_or("its column opponents holds no texts")?;
        let opponent_rating = optional_numbers::<Int32Type>(batch, "opponent_rating")?;
        let rating = optional_numbers::<Int32Type>(batch, "rating")?;
        let rating_after = optional_numbers::<Int32Type>(batch, "rating_after")?;
        let mut time_control = optional_texts(batch, "time_control")?;
        let mut game_region = optional_texts(batch, "game_region")?;
        let mut tournament = optional_texts(batch, "tournament")?;
        let mut opening_code = optional_texts(batch, "opening_code")?;
        let mut opening_name = optional_texts(batch, "opening_name")?;
        let move_count = numbers::<Int32Type>(batch, "move_count")?;
        let incomplete = booleans(batch, "incomplete")?;
        let row = |at: usize| Self {
            player_id: std::mem::take(&mut required_texts.player_id[at]),
            ended_at: ended_at[at],
            game_id: std::mem::take(&mut required_texts.game_id[at]),
            started_at: started_at[at],
            role: std::mem::take(&mut required_texts.role[at]),
            result: std::mem::take(&mut required_texts.result[at]),
            opponents: opponents[at]
                .clone()
                .map(|index| names.value(index).to_owned())
                .collect(),
            opponent_rating: opponent_rating[at],
            rating: rating[at],
            rating_after: rating_after[at],
            game: std::mem::take(&mut required_texts.game[at]),
            variant: std::mem::take(&mut required_texts.variant[at]),
            mode: std::mem::take(&mut required_texts.mode[at]),
            time_control: time_control[at].take(),
            game_region: game_region[at].take(),
            tournament: tournament[at].take(),
            termination: std::mem::take(&mut required_texts.termination[at]),
            opening_code: opening_code[at].take(),
            opening_name: opening_name[at].take(),
            move_count: move_count[at],
            incomplete: incomplete[at],
        };
        Ok((0..batch.num_rows()).map(row).collect())
    }
}

/// The texts that every row has.
struct Required {
    player_id: Vec<String>,
    game_id: Vec<String>,
    role: Vec<String>,
    result: Vec<String>,
    game: Vec<String>,
    variant: Vec<String>,
    mode: Vec<String>,
    termination: Vec<String>,
}

impl Required {
    fn read(batch: &RecordBatch) -> Found<Self> {
        Ok(Self {
            player_id: texts(batch, "player_id")?,
            game_id: texts(batch, "game_id")?,
            role: texts(batch, "role")?,
            result: texts(batch, "result")?,
            game: texts(batch, "game")?,
            variant: texts(batch, "variant")?,
            mode: texts(batch, "mode")?,
            termination: texts(batch, "termination")?,
        })
    }
}
