//! A filter as conditions on rows: of `player_games` for a player's list, of `games` for everybody's.

use chrono::{DateTime, Utc};
use domain::EventTime;

use super::filter::{
    EverybodyPerspective, GameFilter, Perspective, PlayerPerspective, Span, TimeField,
};
use super::sql::{Sql, Value};

/// No game lasts longer, by the contract of events.
const LONGEST_GAME: chrono::Duration = chrono::Duration::days(400);

/// The least and the limit of `ended_at` that a filter's window allows: `[least, limit)`.
pub(super) fn window(filter: &GameFilter) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let since = filter.since.map(EventTime::to_datetime);
    let until = filter.until.map(EventTime::to_datetime);
    match filter.time_field {
        TimeField::EndedAt => (since, until),
        // A game ends after it began, and not much later: enough to leave out partitions.
        TimeField::StartedAt => (since, until.map(|until| until + LONGEST_GAME)),
    }
}

/// Whether the conditions of a player's list are about columns that the index of `player_games` holds.
pub(super) fn covered(filter: &GameFilter) -> bool {
    let opponent = match &filter.of {
        Perspective::Player(player) => player.opponent.is_some(),
        Perspective::Everybody(_) => false,
    };
    !opponent && filter.tournament.is_none() && filter.opening_name.is_none()
}

/// The conditions of a filter beyond its window of `ended_at`, joined by `AND`, and how many there are. The tournament is left
/// out where an index has found it.
pub(super) fn conditions(filter: &GameFilter, tournament_is_indexed: bool) -> (Sql, usize) {
    let mut all = Conditions::default();
    let texts = [
        ("game", filter.game.as_ref().map(AsRef::<str>::as_ref)),
        ("mode", filter.mode.as_ref().map(AsRef::as_ref)),
        ("variant", filter.variant.as_ref().map(AsRef::as_ref)),
        (
            "time_control",
            filter.time_control.as_ref().map(AsRef::as_ref),
        ),
        ("region", filter.region.as_ref().map(AsRef::as_ref)),
        (
            "termination",
            filter.termination.as_ref().map(AsRef::as_ref),
        ),
        (
            "tournament",
            filter
                .tournament
                .as_ref()
                .filter(|_| !tournament_is_indexed)
                .map(AsRef::as_ref),
        ),
    ];
    for (column, value) in texts {
        if let Some(value) = value {
            all.equal(column, value);
        }
    }
    if let Some(code) = &filter.opening {
        all.add(
            "starts_with(opening_code, ",
            Value::Text(code.to_string()),
            ")",
        );
    }
    if let Some(name) = &filter.opening_name {
        let name = Value::Text(name.as_str().to_lowercase());
        all.add("starts_with(lower(opening_name), ", name, ")");
    }
    if let Some(incomplete) = filter.incomplete {
        all.add("incomplete = ", Value::Bool(incomplete), "");
    }
    all.span("move_count", filter.move_count, Value::Int);
    // Whole milliseconds, as times of events are.
    let duration = "(extract(epoch FROM ended_at - started_at) * 1000)::bigint";
    all.span(duration, filter.duration_ms, Value::BigInt);
    if filter.time_field == TimeField::StartedAt {
        if let Some(since) = filter.since {
            all.add("started_at >= ", Value::Time(since.to_datetime()), "");
        }
        if let Some(until) = filter.until {
            all.add("started_at < ", Value::Time(until.to_datetime()), "");
        }
    }
    match &filter.of {
        Perspective::Player(player) => all.of_player(player, filter.rating),
        Perspective::Everybody(everybody) => all.of_everybody(everybody, filter.rating),
    }
    (all.sql, all.count)
}

#[derive(Default)]
struct Conditions {
    sql: Sql,
    count: usize,
}

impl Conditions {
    fn add(&mut self, before: &str, value: Value, after: &str) {
        if self.count > 0 {
            self.sql.text(" AND ");
        }
        self.count += 1;
        self.sql.text(before).bind(value).text(after);
    }

    fn also(&mut self, condition: &str) {
        if self.count > 0 {
            self.sql.text(" AND ");
        }
        self.count += 1;
        self.sql.text(condition);
    }

    fn equal(&mut self, column: &str, value: &str) {
        self.add(&format!("{column} = "), Value::Text(value.to_owned()), "");
    }

    fn span<T>(&mut self, expression: &str, span: Span<T>, value: impl Fn(T) -> Value) {
        if let Some(min) = span.min {
            self.add(&format!("{expression} >= "), value(min), "");
        }
        if let Some(max) = span.max {
            self.add(&format!("{expression} <= "), value(max), "");
        }
    }

    fn of_player(&mut self, player: &PlayerPerspective, rating: Span<i32>) {
        if let Some(role) = &player.role {
            self.equal("role", role.as_str());
        }
        if let Some(result) = player.result {
            self.equal("result", result.as_str());
        }
        if let Some(opponent) = &player.opponent {
            let opponent = Value::Texts(vec![opponent.to_string()]);
            self.add("opponents @> ", opponent, "");
        }
        self.span("rating", rating, Value::Int);
        self.span("opponent_rating", player.opponent_rating, Value::Int);
        if player.has_rating {
            self.also("(rating IS NOT NULL OR rating_after IS NOT NULL)");
        }
    }

    fn of_everybody(&mut self, everybody: &EverybodyPerspective, rating: Span<i32>) {
        for player in &everybody.players {
            let seat = serde_json::json!([{ "id": player.as_str() }]).to_string();
            self.add("players @> (", Value::Text(seat), ")::jsonb");
        }
        if let Some(winner) = &everybody.winner {
            self.equal("winner", winner.as_str());
        }
        if let Some(result) = everybody.result {
            self.equal("result", result.as_str());
        }
        if let Some(platform) = &everybody.platform {
            self.equal("platform", platform.as_str());
        }
        // A player without a rating is neither above nor below one.
        let every = |comparison| {
            format!(
                "NOT EXISTS (SELECT FROM jsonb_array_elements(players) p \
                 WHERE ((p ->> 'rating')::int {comparison} "
            )
        };
        if let Some(min) = rating.min {
            self.add(&every(">="), Value::Int(min), ") IS NOT TRUE)");
        }
        if let Some(max) = rating.max {
            self.add(&every("<="), Value::Int(max), ") IS NOT TRUE)");
        }
    }
}
