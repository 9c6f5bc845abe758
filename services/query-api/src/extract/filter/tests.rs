//! The filters against their description in the document, and against the walks they make.

use actix_web::test::TestRequest;
use utoipa::IntoParams as _;

use super::super::grammar::{FeedFilterParams, PlayerFilterParams};
use super::*;

fn player_filter(query: &str) -> (GameList, bool) {
    let request = TestRequest::with_uri(&format!("/?{query}")).to_http_request();
    let mut params = Params::of(&request);
    let list = player_list(&mut params, PlayerId::parse("p").ok());
    (list, params.finish().is_ok())
}

fn feed_filter(query: &str) -> (GameList, bool) {
    let request = TestRequest::with_uri(&format!("/?{query}")).to_http_request();
    let mut params = Params::of(&request);
    let list = feed_list(&mut params);
    (list, params.finish().is_ok())
}

fn value(name: &str) -> &'static str {
    match name {
        "result" => "win",
        "since" | "until" => "2026-01-01T00:00:00Z",
        "time_field" => "started_at",
        "incomplete" => "true",
        name if name.ends_with("_min") || name.ends_with("_max") => "7",
        _ => "x",
    }
}

#[test]
fn a_plus_in_a_time_control_needs_no_encoding() {
    let plain = player_filter("time_control=180+1");
    assert_eq!(plain, player_filter("time_control=180%2B1"));
    assert_eq!(plain.0.filter.time_control.unwrap().as_str(), "180+1");
}

#[test]
fn every_documented_filter_is_read_and_makes_another_walk() {
    type Read = fn(&str) -> (GameList, bool);
    let grammars: [(Vec<_>, Read); 2] = [
        (PlayerFilterParams::into_params(|| None), player_filter),
        (FeedFilterParams::into_params(|| None), feed_filter),
    ];
    for (documented, read) in grammars {
        assert!(documented.len() > 20, "{}", documented.len());
        let mut walks = vec![walk("list", &read("").0)];
        for parameter in documented {
            let query = format!("{}={}", parameter.name, value(&parameter.name));
            let (list, clean) = read(&query);
            assert!(clean, "{query} is not read");
            let walk = walk("list", &list);
            assert!(!walks.contains(&walk), "{query}");
            walks.push(walk);
        }
    }
}

#[test]
fn a_window_that_ends_before_it_begins_is_refused() {
    let (_, clean) = player_filter("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z");
    assert!(!clean);
    let (_, clean) = player_filter("since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z");
    assert!(clean, "an empty window is a window");
    assert!(!player_filter("rating_min=8&rating_max=7").1);
    assert!(player_filter("rating_min=7&rating_max=7").1);
}

#[test]
fn a_player_may_be_asked_for_with_others() {
    let (list, clean) = feed_filter("player=a&player=b");
    assert!(clean);
    let Perspective::Everybody(asked) = list.filter.of else {
        panic!("{list:?}");
    };
    assert_eq!(asked.players.len(), 2);
    let nine = ["player=x"; 9].join("&");
    assert!(!feed_filter(&nine).1);
}
