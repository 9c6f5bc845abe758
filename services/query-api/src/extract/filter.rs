//! The filters of games: the same parameters, read the same way, on every route that lists, counts, sums up or exports.

use domain::{PlayerId, PlayerResult, ShortText, Slug};
use store::read::{
    EverybodyPerspective, GameFilter, GameList, GameResult, Order, Perspective, PlayerPerspective,
    Scope, Span, TimeField,
};

use super::{Params, Refusal, number, time};
use crate::cursor::Walk;

/// The most players that a feed can be asked for together.
const MAX_PLAYERS: usize = 8;
/// The highest rating that can be asked about.
const MAX_RATING: i64 = 100_000;
/// More moves than any game has.
const MAX_MOVES: i64 = 1_000_000;
/// The longest game there can be: 400 days.
const MAX_DURATION_MS: i64 = 400 * 24 * 3_600 * 1_000;

/// Reads the filters of one player's games. Without a player, whose id was refused then, the request ends at
/// [`Params::finish`] with all its faults.
pub(crate) fn player_list(params: &mut Params, player: Option<PlayerId>) -> GameList {
    let mut list = GameList::of(player.map_or(Scope::Everybody, Scope::Player));
    list.filter = common(params);
    list.filter.of = Perspective::Player(PlayerPerspective {
        role: params.take("role", slug),
        result: params.take("result", player_result),
        opponent: params.take("opponent", player_id),
        opponent_rating: span(params, "opponent_rating", MAX_RATING).map_i32(),
        has_rating: false,
    });
    list
}

/// Reads the filters of everybody's games.
pub(crate) fn feed_list(params: &mut Params) -> GameList {
    let mut list = GameList::of(Scope::Everybody);
    list.filter = common(params);
    let players = params.take_all("player", player_id);
    if players.len() > MAX_PLAYERS {
        let most = format!("must be given at most {MAX_PLAYERS} times");
        params.refuse("player", Refusal::new("out-of-range", most));
    }
    list.filter.of = Perspective::Everybody(EverybodyPerspective {
        players,
        winner: params.take("winner", player_id),
        result: params.take("result", game_result),
        platform: params.take("platform", short_text),
    });
    list
}

/// Takes `sort`.
pub(crate) fn order(params: &mut Params, default: Order) -> Order {
    let read = |text: &str| match text {
        "-ended_at" => Ok(Order::NewestFirst),
        "ended_at" => Ok(Order::OldestFirst),
        _ => Err(Refusal::new(
            "malformed",
            "must be -ended_at (newest first) or ended_at (oldest first)",
        )),
    };
    params.take("sort", read).unwrap_or(default)
}

fn common(params: &mut Params) -> GameFilter {
    let filter = GameFilter {
        game: params.take("game", slug),
        mode: params.take("mode", slug),
        variant: params.take("variant", slug),
        // No time control holds a space: it is a plus that was not percent-encoded.
        time_control: params.take("time_control", |text| {
            Ok(ShortText::parse(&text.replace(' ', "+"))?)
        }),
        region: params.take("region", slug),
        tournament: params.take("tournament", short_text),
        termination: params.take("termination", slug),
        opening: params.take("opening", short_text),
        opening_name: params.take("opening_name", short_text),
        incomplete: params.take("incomplete", boolean),
        move_count: span(params, "move_count", MAX_MOVES).map_i32(),
        duration_ms: span(params, "duration_ms", MAX_DURATION_MS),
        rating: span(params, "rating", MAX_RATING).map_i32(),
        time_field: params.take("time_field", time_field).unwrap_or_default(),
        since: params.take("since", time::read),
        until: params.take("until", time::read),
        of: Perspective::default(),
    };
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && since > until
    {
        let refusal = Refusal::new("out-of-range", "must not be after until");
        params.refuse("since", refusal);
    }
    filter
}

/// Takes `…_min` and `…_max`.
fn span(params: &mut Params, name: &str, most: i64) -> Span<i64> {
    let (least_name, most_name) = (format!("{name}_min"), format!("{name}_max"));
    let span = Span {
        min: params.take(&least_name, |text| number(text, 0, most)),
        max: params.take(&most_name, |text| number(text, 0, most)),
    };
    if let (Some(least), Some(most)) = (span.min, span.max)
        && least > most
    {
        let refusal = Refusal::new("out-of-range", format!("must not be above {most_name}"));
        params.refuse(&least_name, refusal);
    }
    span
}

trait MapSpan {
    fn map_i32(self) -> Span<i32>;
}

impl MapSpan for Span<i64> {
    /// The bounds were checked to be small.
    fn map_i32(self) -> Span<i32> {
        let small = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
        Span {
            min: self.min.map(small),
            max: self.max.map(small),
        }
    }
}

/// The walk of a list: what a cursor is bound to. Everything that chooses or orders its games tells walks apart.
pub(crate) fn walk(name: &str, list: &GameList) -> Walk {
    let given = words(list)
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)));
    Walk::of(name, given)
}

fn words(list: &GameList) -> Vec<(&'static str, Option<String>)> {
    fn word(value: Option<&impl ToString>) -> Option<String> {
        value.map(ToString::to_string)
    }
    let filter = &list.filter;
    let ms = |time: Option<domain::EventTime>| time.map(|time| time.as_ms().to_string());
    let mut words = vec![
        ("game", word(filter.game.as_ref())),
        ("mode", word(filter.mode.as_ref())),
        ("variant", word(filter.variant.as_ref())),
        ("time_control", word(filter.time_control.as_ref())),
        ("region", word(filter.region.as_ref())),
        ("tournament", word(filter.tournament.as_ref())),
        ("termination", word(filter.termination.as_ref())),
        ("opening", word(filter.opening.as_ref())),
        ("opening_name", word(filter.opening_name.as_ref())),
        ("incomplete", word(filter.incomplete.as_ref())),
        ("move_count_min", word(filter.move_count.min.as_ref())),
        ("move_count_max", word(filter.move_count.max.as_ref())),
        ("duration_ms_min", word(filter.duration_ms.min.as_ref())),
        ("duration_ms_max", word(filter.duration_ms.max.as_ref())),
        ("rating_min", word(filter.rating.min.as_ref())),
        ("rating_max", word(filter.rating.max.as_ref())),
        ("since", ms(filter.since)),
        ("until", ms(filter.until)),
        (
            "time_field",
            (filter.time_field == TimeField::StartedAt).then(|| "started_at".to_owned()),
        ),
        (
            "sort",
            (list.order == Order::OldestFirst).then(|| "ended_at".to_owned()),
        ),
        (
            "until_id",
            list.until_place
                .as_ref()
                .map(|place| place.game_id.to_string()),
        ),
    ];
    match (&list.scope, &filter.of) {
        (Scope::Player(player), Perspective::Player(asked)) => words.extend([
            ("player", Some(player.to_string())),
            ("role", word(asked.role.as_ref())),
            ("result", asked.result.map(|r| r.as_str().to_owned())),
            ("opponent", word(asked.opponent.as_ref())),
            (
                "opponent_rating_min",
                word(asked.opponent_rating.min.as_ref()),
            ),
            (
                "opponent_rating_max",
                word(asked.opponent_rating.max.as_ref()),
            ),
        ]),
        (_, Perspective::Everybody(asked)) => {
            words.extend([
                ("winner", word(asked.winner.as_ref())),
                ("result", asked.result.map(|r| r.as_str().to_owned())),
                ("platform", word(asked.platform.as_ref())),
            ]);
            let players = asked.players.iter();
            words.extend(players.map(|player| ("player", Some(player.to_string()))));
        }
        (Scope::Everybody, Perspective::Player(_)) => {}
    }
    words
}

fn slug(text: &str) -> Result<Slug, Refusal> {
    Ok(Slug::parse(text)?)
}

fn short_text(text: &str) -> Result<ShortText, Refusal> {
    Ok(ShortText::parse(text)?)
}

fn player_id(text: &str) -> Result<PlayerId, Refusal> {
    Ok(PlayerId::parse(text)?)
}

pub(super) fn boolean(text: &str) -> Result<bool, Refusal> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::new("malformed", "must be true or false")),
    }
}

fn time_field(text: &str) -> Result<TimeField, Refusal> {
    match text {
        "ended_at" => Ok(TimeField::EndedAt),
        "started_at" => Ok(TimeField::StartedAt),
        _ => Err(Refusal::new("malformed", "must be ended_at or started_at")),
    }
}

fn player_result(text: &str) -> Result<PlayerResult, Refusal> {
    [
        PlayerResult::Win,
        PlayerResult::Loss,
        PlayerResult::Draw,
        PlayerResult::None,
    ]
    .into_iter()
    .find(|result| result.as_str() == text)
    .ok_or_else(|| Refusal::new("malformed", "must be one of win, loss, draw, none"))
}

fn game_result(text: &str) -> Result<GameResult, Refusal> {
    [GameResult::Win, GameResult::Draw, GameResult::None]
        .into_iter()
        .find(|result| result.as_str() == text)
        .ok_or_else(|| Refusal::new("malformed", "must be one of win, draw, none"))
}

#[cfg(test)]
mod tests;
