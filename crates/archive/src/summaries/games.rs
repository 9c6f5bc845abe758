//! A finished game as a row.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type, Schema, SchemaRef};
use chrono::{DateTime, Utc};

use super::arrays::{
    Found, booleans, instants, lists, numbers, optional, optional_numbers, optional_texts,
    required, structs, texts, time_type, times,
};
use super::encode_fault;
use super::layout::{Kind, RevisionNumber};
use super::read::SummaryRow;
use crate::Result;

/// A finished game with its players and moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameRow {
    /// Its id.
    pub game_id: String,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Which game, such as `chess`.
    pub game: String,
    /// By which rules.
    pub variant: String,
    /// In which setting, such as `rated`.
    pub mode: String,
    /// How time was kept.
    pub time_control: Option<String>,
    /// The region as the create gave it; the folder's is made of it.
    pub game_region: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// The tournament.
    pub tournament: Option<String>,
    /// The position it began with, where that is not the usual one.
    pub start_position: Option<String>,
    /// `win`, `draw` or `none`.
    pub result: String,
    /// Who won, where somebody did.
    pub winner: Option<String>,
    /// By what it ended.
    pub termination: String,
    /// The opening's code.
    pub opening_code: Option<String>,
    /// The opening's name.
    pub opening_name: Option<String>,
    /// How many moves are stored.
    pub move_count: i32,
    /// Whether moves are missing.
    pub incomplete: bool,
    /// The players, in seat order.
    pub players: Vec<Seat>,
    /// The moves, in order of their plies.
    pub moves: Vec<MadeMove>,
}

/// A player of a finished game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub player_id: String,
    /// Which side or seat.
    pub role: String,
    /// The rating before the game.
    pub rating: Option<i32>,
    /// The rating after it.
    pub rating_after: Option<i32>,
    /// `win`, `loss`, `draw` or `none`.
    pub result: String,
}

/// A move of a finished game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeMove {
    /// Which move, from 1, counting each player's separately.
    pub ply: i32,
    /// Who moved.
    pub player_id: String,
    /// The move as its game writes it.
    pub text: String,
    /// The mover's clock after the move, in milliseconds.
    pub clock_ms: Option<i64>,
    /// When, by the producer's clock.
    pub moved_at: DateTime<Utc>,
}

static SEAT: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        required("player_id", DataType::Utf8),
        required("role", DataType::Utf8),
        optional("rating", DataType::Int32),
        optional("rating_after", DataType::Int32),
        required("result", DataType::Utf8),
    ])
});

static MOVE: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        required("ply", DataType::Int32),
        required("player_id", DataType::Utf8),
        required("move", DataType::Utf8),
        optional("clock_ms", DataType::Int64),
        required("moved_at", time_type()),
    ])
});

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let list = |fields: &Fields| DataType::List(element(fields));
    Arc::new(Schema::new(vec![
        required("game_id", DataType::Utf8),
        required("ended_at", time_type()),
        required("started_at", time_type()),
        required("game", DataType::Utf8),
        required("variant", DataType::Utf8),
        required("mode", DataType::Utf8),
        optional("time_control", DataType::Utf8),
        optional("game_region", DataType::Utf8),
        optional("platform", DataType::Utf8),
        optional("tournament", DataType::Utf8),
        optional("start_position", DataType::Utf8),
        required("result", DataType::Utf8),
        optional("winner", DataType::Utf8),
        required("termination", DataType::Utf8),
        optional("opening_code", DataType::Utf8),
        optional("opening_name", DataType::Utf8),
        required("move_count", DataType::Int32),
        required("incomplete", DataType::Boolean),
        required("players", list(&SEAT)),
        required("moves", list(&MOVE)),
        required("revision", DataType::UInt32),
    ]))
});

fn element(fields: &Fields) -> Arc<Field> {
    Arc::new(required("item", DataType::Struct(fields.clone())))
}

impl SummaryRow for GameRow {
    const KIND: Kind = Kind::Games;
    const ROWS_PER_GROUP: usize = 16_384;
    type Key = String;

    fn schema() -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn key(&self) -> String {
        self.game_id.clone()
    }

    fn file_key(&self) -> &str {
        &self.game_id
    }

    fn to_batch(rows: &[Self], revision: RevisionNumber) -> Result<RecordBatch> {
        let text = |value: fn(&Self) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
        };
        let text_if = |value: fn(&Self) -> Option<&str>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<StringArray>())
        };
        let move_counts = Int32Array::from_iter_values(rows.iter().map(|row| row.move_count));
        let incomplete: BooleanArray = rows.iter().map(|row| Some(row.incomplete)).collect();
        let columns: Vec<ArrayRef> = vec![
            text(|row| &row.game_id),
            times(rows.iter().map(|row| row.ended_at)),
            times(rows.iter().map(|row| row.started_at)),
            text(|row| &row.game),
            text(|row| &row.variant),
            text(|row| &row.mode),
            text_if(|row| row.time_control.as_deref()),
            text_if(|row| row.game_region.as_deref()),
            text_if(|row| row.platform.as_deref()),
            text_if(|row| row.tournament.as_deref()),
            text_if(|row| row.start_position.as_deref()),
            text(|row| &row.result),
            text_if(|row| row.winner.as_deref()),
            text(|row| &row.termination),
            text_if(|row| row.opening_code.as_deref()),
            text_if(|row| row.opening_name.as_deref()),
            Arc::new(move_counts),
            Arc::new(incomplete),
            seats_array(rows)?,
            moves_array(rows)?,
            Arc::new(UInt32Array::from_value(revision.get(), rows.len())),
        ];
        RecordBatch::try_new(Self::schema(), columns).map_err(encode_fault)
    }

    fn from_batch(batch: &RecordBatch) -> Found<Vec<Self>> {
        let (ended_at, started_at) = (instants(batch, "ended_at")?, instants(batch, "started_at")?);
        let mut text = [
            texts(batch, "game_id")?,
            texts(batch, "game")?,
            texts(batch, "variant")?,
            texts(batch, "mode")?,
            texts(batch, "result")?,
            texts(batch, "termination")?,
        ];
        let mut text_if = [
            optional_texts(batch, "time_control")?,
            optional_texts(batch, "game_region")?,
            optional_texts(batch, "platform")?,
            optional_texts(batch, "tournament")?,
            optional_texts(batch, "start_position")?,
            optional_texts(batch, "winner")?,
            optional_texts(batch, "opening_code")?,
            optional_texts(batch, "opening_name")?,
        ];
        let move_count = numbers::<Int32Type>(batch, "move_count")?;
        let incomplete = booleans(batch, "incomplete")?;
        let (mut players, mut moves) = (seats(batch)?, moves(batch)?);
        let row = |at: usize| {
            let [game_id, game, variant, mode, result, termination] = text
                .each_mut()
                .map(|column| std::mem::take(&mut column[at]));
            let [
                time_control,
                game_region,
                platform,
                tournament,
                start_position,
                winner,
                opening_code,
                opening_name,
            ] = text_if.each_mut().map(|column| column[at].take());
            Self {
                game_id,
                ended_at: ended_at[at],
                started_at: started_at[at],
                game,
                variant,
                mode,
                time_control,
                game_region,
                platform,
                tournament,
                start_position,
                result,
                winner,
                termination,
                opening_code,
                opening_name,
                move_count: move_count[at],
                incomplete: incomplete[at],
                players: std::mem::take(&mut players[at]),
                moves: std::mem::take(&mut moves[at]),
            }
        };
        Ok((0..batch.num_rows()).map(row).collect())
    }
}

fn seats_array(rows: &[GameRow]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|row| &row.players);
    let text = |value: fn(&Seat) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all().map(value)))
    };
    let number_if = |value: fn(&Seat) -> Option<i32>| -> ArrayRef {
        Arc::new(all().map(value).collect::<Int32Array>())
    };
    let columns = vec![
        text(|seat| &seat.player_id),
        text(|seat| &seat.role),
        number_if(|seat| seat.rating),
        number_if(|seat| seat.rating_after),
        text(|seat| &seat.result),
    ];
    list_array(&SEAT, columns, rows.iter().map(|row| row.players.len()))
}

fn moves_array(rows: &[GameRow]) -> Result<ArrayRef> {
    let all = || rows.iter().flat_map(|row| &row.moves);
    let text = |value: fn(&MadeMove) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all().map(value)))
    };
    let columns = vec![
        Arc::new(Int32Array::from_iter_values(all().map(|made| made.ply))) as ArrayRef,
        text(|made| &made.player_id),
        text(|made| &made.text),
        Arc::new(all().map(|made| made.clock_ms).collect::<Int64Array>()),
        times(all().map(|made| made.moved_at)),
    ];
    list_array(&MOVE, columns, rows.iter().map(|row| row.moves.len()))
}

fn list_array(
    fields: &Fields,
    columns: Vec<ArrayRef>,
    lengths: impl Iterator<Item = usize>,
) -> Result<ArrayRef> {
    let elements = StructArray::try_new(fields.clone(), columns, None).map_err(encode_fault)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let list = ListArray::try_new(element(fields), offsets, Arc::new(elements), None);
    Ok(Arc::new(list.map_err(encode_fault)?))
}

fn seats(batch: &RecordBatch) -> Found<Vec<Vec<Seat>>> {
    let (elements, ranges) = lists(batch, "players")?;
    let elements = structs("players", elements)?;
    let (player_id, role, result) = (
        texts(elements, "player_id")?,
        texts(elements, "role")?,
        texts(elements, "result")?,
    );
    let rating = optional_numbers::<Int32Type>(elements, "rating")?;
    let rating_after = optional_numbers::<Int32Type>(elements, "rating_after")?;
    let seat = |at: usize| Seat {
        player_id: player_id[at].clone(),
        role: role[at].clone(),
        rating: rating[at],
        rating_after: rating_after[at],
        result: result[at].clone(),
    };
    Ok(ranges
        .into_iter()
        .map(|range| range.map(seat).collect())
        .collect())
}

fn moves(batch: &RecordBatch) -> Found<Vec<Vec<MadeMove>>> {
    let (elements, ranges) = lists(batch, "moves")?;
    let elements = structs("moves", elements)?;
    let (player_id, text) = (texts(elements, "player_id")?, texts(elements, "move")?);
    let ply = numbers::<Int32Type>(elements, "ply")?;
    let clock_ms = optional_numbers::<Int64Type>(elements, "clock_ms")?;
    let moved_at = instants(elements, "moved_at")?;
    let made = |at: usize| MadeMove {
        ply: ply[at],
        player_id: player_id[at].clone(),
        text: text[at].clone(),
        clock_ms: clock_ms[at],
        moved_at: moved_at[at],
    };
    Ok(ranges
        .into_iter()
        .map(|range| range.map(made).collect())
        .collect())
}
