//! The filters of lists of games: the same parameters, read the same way, on every route that lists.

use domain::{PlayerId, PlayerResult, ShortText, Slug};
use store::read::GameFilter;
use utoipa::IntoParams;

use super::{Params, Refusal, time};
use crate::cursor::Walk;

/// The filters as the document shows them. Read by [`game_filter`]; a test holds the two together.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the shape of the query, for the document")]
pub(crate) struct GameFilterParams {
    /// The setting it was played in, such as `rated` or `casual`.
    #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "rated")]
    mode: Option<String>,
    /// The rules, such as `standard` or `chess960`.
    #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "standard")]
    variant: Option<String>,
    /// How time was kept, such as `180+1`. No time control holds a space, so a `+` that was not percent-encoded (and therefore
    /// arrives as a space) is taken for what it is.
    #[param(min_length = 1, max_length = 200, example = "180+1")]
    time_control: Option<String>,
    /// What the game was for this player.
    #[param(inline)]
    result: Option<ResultParam>,
    /// A player who took part besides this one.
    #[param(min_length = 1, max_length = 100, example = "hikaru")]
    opponent: Option<String>,
    /// Games that ended at this time or later: RFC 3339, or milliseconds since 1970.
    #[param(example = "2026-11-01T00:00:00Z")]
    since: Option<String>,
    /// Games that ended before this time: RFC 3339, or milliseconds since 1970.
    #[param(example = "2026-12-01T00:00:00Z")]
    until: Option<String>,
}

/// The values of `result`.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape of the query, for the document")]
pub(crate) enum ResultParam {
    Win,
    Loss,
    Draw,
    None,
}

/// Reads the filters of a list.
pub(crate) fn game_filter(params: &mut Params) -> GameFilter {
    let filter = GameFilter {
        mode: params.take("mode", slug),
        variant: params.take("variant", slug),
        time_control: params.take("time_control", |text| {
            Ok(ShortText::parse(&text.replace(' ', "+"))?)
        }),
        result: params.take("result", result),
        opponent: params.take("opponent", |text| Ok(PlayerId::parse(text)?)),
        since: params.take("since", time::read),
        until: params.take("until", time::read),
    };
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && since > until
    {
        params.refuse(
            "since",
            Refusal::new("out-of-range", "must not be after until"),
        );
    }
    filter
}

/// The walk of a player's list with these filters: what a cursor is bound to.
pub(crate) fn player_walk(player: &PlayerId, filter: &GameFilter) -> Walk {
    let ms = |time: domain::EventTime| time.as_ms().to_string();
    let filters = [
        ("player", Some(player.to_string())),
        ("mode", filter.mode.as_ref().map(ToString::to_string)),
        ("variant", filter.variant.as_ref().map(ToString::to_string)),
        (
            "time_control",
            filter.time_control.as_ref().map(ToString::to_string),
        ),
        ("result", filter.result.map(|r| r.as_str().to_owned())),
        (
            "opponent",
            filter.opponent.as_ref().map(ToString::to_string),
        ),
        ("since", filter.since.map(ms)),
        ("until", filter.until.map(ms)),
    ];
    let given = filters
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)));
    Walk::of("player-games", given)
}

fn slug(text: &str) -> Result<Slug, Refusal> {
    Ok(Slug::parse(text)?)
}

fn result(text: &str) -> Result<PlayerResult, Refusal> {
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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn filter(query: &str) -> (GameFilter, bool) {
        let request = TestRequest::with_uri(&format!("/?{query}")).to_http_request();
        let mut params = Params::of(&request);
        let filter = game_filter(&mut params);
        (filter, params.finish().is_ok())
    }

    #[test]
    fn a_plus_in_a_time_control_needs_no_encoding() {
        let plain = filter("time_control=180+1");
        assert_eq!(plain, filter("time_control=180%2B1"));
        assert_eq!(plain.0.time_control.unwrap().as_str(), "180+1");
    }

    #[test]
    fn every_documented_filter_is_read() {
        let documented = GameFilterParams::into_params(|| None);
        assert_eq!(documented.len(), 7);
        for parameter in documented {
            let value = match parameter.name.as_str() {
                "result" => "win",
                "since" | "until" => "2026-01-01T00:00:00Z",
                _ => "x",
            };
            let (filter, clean) = filter(&format!("{}={value}", parameter.name));
            assert!(clean, "{} is not read", parameter.name);
            assert_ne!(filter, GameFilter::default(), "{}", parameter.name);
        }
    }

    #[test]
    fn every_filter_makes_another_walk() {
        let player = PlayerId::parse("p").unwrap();
        let queries = [
            "",
            "mode=x",
            "variant=x",
            "time_control=x",
            "result=win",
            "result=loss",
            "opponent=x",
            "since=2026-01-01T00:00:00Z",
            "until=2026-01-01T00:00:00Z",
        ];
        let mut walks: Vec<Walk> = Vec::new();
        for query in queries {
            let walk = player_walk(&player, &filter(query).0);
            assert!(!walks.contains(&walk), "{query}");
            walks.push(walk);
        }
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_refused() {
        let (_, clean) = filter("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z");
        assert!(!clean);
        let (_, clean) = filter("since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z");
        assert!(clean, "an empty window is a window");
    }
}
