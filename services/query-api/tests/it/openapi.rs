//! The document against the routes that are mounted and against real answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::http::{Answer, post};
use crate::seed::{self, Seeded, at};
use crate::server::TestServer;

/// The document, with every object closed: an answer with a field it does not describe is refused.
fn document() -> Value {
    let text = query_api::openapi::document().to_json().unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    close(&mut document["components"]["schemas"]);
    document
}

fn close(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Checks an answer against what the document says of this route, status and media type.
fn check(document: &Value, path: &str, answer: &Answer) {
    let method = if path.ends_with("/batch") {
        "post"
    } else {
        "get"
    };
    let described = &document["paths"][path][method]["responses"][answer.status.to_string()];
    assert!(
        described.is_object(),
        "{path} {} is not described",
        answer.status
    );
    if answer.status == 304 {
        return;
    }
    let media_type = answer.header("content-type").unwrap();
    let media_type = media_type.split(';').next().unwrap();
    let schema = &described["content"][media_type]["schema"];
    assert!(
        schema.is_object(),
        "{path} {} {media_type} is not described",
        answer.status
    );
    if !media_type.ends_with("json") || media_type.ends_with("ndjson") {
        return;
    }
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let body = answer.json();
    let errors: Vec<String> = validator
        .iter_errors(&body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        errors.is_empty(),
        "{path} {}: {errors:#?}\n{body:#}",
        answer.status
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn real_answers_are_as_described() {
    let (server, database) = TestServer::start().await;
    let ended = at("2026-11-20T10:00:00Z");
    let games = [
        Seeded::new("g-1", ended),
        Seeded {
            incomplete: true,
            ..Seeded::new("g-2", ended)
        },
    ];
    seed::finished(&database.url(), &games).await;
    seed::live(&database.url(), "live", ended, &["e2e4"]).await;
    let gone = Seeded::new("gone", at("2026-08-20T10:00:00Z"));
    seed::finished(&database.url(), &[gone]).await;
    let client = seed::client(&database.url()).await;
    client
        .batch_execute("DROP TABLE games_y2026m08")
        .await
        .unwrap();

    let (document, mut seen) = (document(), BTreeSet::new());
    for (path, target) in [
        ("/v1/games/{id}", "/v1/games/g-1"),
        ("/v1/games/{id}", "/v1/games/g-2"),
        ("/v1/games/{id}", "/v1/games/live"),
        ("/v1/games/{id}", "/v1/games/gone"),
        ("/v1/games/{id}", "/v1/games/nope"),
        ("/v1/games/{id}", "/v1/games/%00"),
        ("/v1/players/{id}/games", "/v1/players/alice/games"),
        ("/v1/players/{id}/games", "/v1/players/alice/games?limit=1"),
        ("/v1/players/{id}/games", "/v1/players/nobody/games"),
        (
            "/v1/players/{id}/games",
            "/v1/players/alice/games?limit=0&x=1",
        ),
        ("/v1/players/{id}/games", "/v1/players/alice/games?cursor=x"),
        (
            "/v1/players/{id}/games",
            "/v1/players/alice/games?fields=game_id",
        ),
        ("/v1/games", "/v1/games"),
        (
            "/v1/games",
            "/v1/games?limit=1&player=alice&fields=game_id,players",
        ),
        ("/v1/games", "/v1/games?cursor=x"),
        ("/v1/games/count", "/v1/games/count"),
        ("/v1/games/count", "/v1/games/count?x=1"),
        ("/v1/games/export", "/v1/games/export"),
        ("/v1/games/export", "/v1/games/export?format=pgn"),
        ("/v1/games/export", "/v1/games/export?format=csv"),
        ("/v1/games/export", "/v1/games/export?format=xml"),
        ("/v1/games/{id}", "/v1/games/g-1?format=pgn"),
        ("/v1/games/{id}", "/v1/games/live?format=pgn"),
        ("/v1/games/{id}/moves", "/v1/games/g-1/moves?at=2"),
        ("/v1/games/{id}/moves", "/v1/games/live/moves"),
        ("/v1/games/{id}/moves", "/v1/games/g-1/moves?at=5"),
        ("/v1/games/{id}/moves", "/v1/games/gone/moves"),
        ("/v1/games/{id}/moves", "/v1/games/g-1/moves?at=x"),
        ("/v1/players/{id}", "/v1/players/alice"),
        ("/v1/players/{id}", "/v1/players/nobody"),
        ("/v1/players/{id}", "/v1/players/%00"),
        (
            "/v1/players/{id}/games/export",
            "/v1/players/alice/games/export",
        ),
        (
            "/v1/players/{id}/games/export",
            "/v1/players/alice/games/export?x=1",
        ),
        ("/v1/players/{id}/stats", "/v1/players/alice/stats"),
        (
            "/v1/players/{id}/stats",
            "/v1/players/alice/stats?group_by=opponent,hour,month",
        ),
        ("/v1/players/{id}/stats", "/v1/players/nobody/stats"),
        (
            "/v1/players/{id}/stats",
            "/v1/players/alice/stats?group_by=x",
        ),
        (
            "/v1/players/{id}/rating-history",
            "/v1/players/alice/rating-history",
        ),
        (
            "/v1/players/{id}/rating-history",
            "/v1/players/alice/rating-history?resolution=day",
        ),
        (
            "/v1/players/{id}/rating-history",
            "/v1/players/alice/rating-history?cursor=x",
        ),
        ("/v1/players/{id}/opponents", "/v1/players/alice/opponents"),
        (
            "/v1/players/{id}/opponents",
            "/v1/players/alice/opponents?x=1",
        ),
        ("/v1/players/{a}/vs/{b}", "/v1/players/alice/vs/bob"),
        ("/v1/players/{a}/vs/{b}", "/v1/players/alice/vs/nobody"),
        ("/v1/players/{a}/vs/{b}", "/v1/players/alice/vs/alice"),
        ("/health/live", "/health/live"),
        ("/health/ready", "/health/ready"),
        ("/metrics", "/metrics"),
        ("/openapi.json", "/openapi.json"),
    ] {
        let answer = server.get(target).await;
        check(&document, path, &answer);
        seen.insert((path, answer.status));
    }
    for body in [
        r#"{"ids": ["g-1", "live", "gone", "nope"]}"#,
        r#"{"ids": []}"#,
        r#"{"ids": ["g-1", "g-1"]}"#,
        r#"{"ids": 1}"#,
    ] {
        let answer = post(server.address, "/v1/games/batch", body).await;
        check(&document, "/v1/games/batch", &answer);
    }
    let without_database = TestServer::over("postgres://nobody@127.0.0.1:1/none").await;
    for (path, target) in [
        ("/v1/games/{id}", "/v1/games/x"),
        ("/v1/players/{id}/games", "/v1/players/x/games"),
        ("/v1/games", "/v1/games"),
        ("/v1/games/count", "/v1/games/count"),
        ("/v1/games/export", "/v1/games/export"),
        ("/v1/games/{id}/moves", "/v1/games/x/moves"),
        ("/v1/players/{id}", "/v1/players/x"),
        (
            "/v1/players/{id}/games/export",
            "/v1/players/x/games/export",
        ),
        ("/v1/players/{id}/stats", "/v1/players/x/stats"),
        (
            "/v1/players/{id}/rating-history",
            "/v1/players/x/rating-history",
        ),
        ("/v1/players/{id}/opponents", "/v1/players/x/opponents"),
        ("/v1/players/{a}/vs/{b}", "/v1/players/x/vs/y"),
        ("/health/ready", "/health/ready"),
    ] {
        let answer = without_database.get(target).await;
        check(&document, path, &answer);
        seen.insert((path, answer.status));
    }
    for status in [200, 400, 404, 406, 410, 503] {
        assert!(
            seen.contains(&("/v1/games/{id}", status)),
            "{status} was not tried"
        );
    }
}

#[test]
fn an_answer_that_is_not_as_described_is_noticed() {
    let document = document();
    let mut schema = json!({"$ref": "#/components/schemas/Page"});
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let good =
        json!({"next": null, "prev": null, "has_more": false, "as_of": "2026-11-20T10:00:00.000Z"});
    assert!(validator.is_valid(&good));
    for (key, value) in [
        ("has_more", json!(1)),
        ("as_of", json!(null)),
        ("more", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(!validator.is_valid(&bad), "{key}");
    }
}

#[test]
fn the_document_covers_every_route() {
    let mounted: BTreeSet<&str> = [
        include_str!("../../src/app.rs"),
        include_str!("../../../../crates/service/src/health.rs"),
    ]
    .into_iter()
    .flat_map(|source| source.split("resource(").skip(1))
    .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
    .filter(|path| *path != "/docs")
    .collect();
    let document = document();
    let described = document["paths"].as_object().unwrap();
    let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
    assert_eq!(mounted, described);
    assert!(mounted.len() >= 17, "{mounted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_shows_the_document_needs_no_other_server() {
    let (server, _database) = TestServer::start().await;
    let docs = server.get("/docs").await;
    assert_eq!(
        (docs.status, docs.header("location")),
        (308, Some("/docs/"))
    );
    let page = server.get("/docs/").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("swagger-ui"), "{page:?}");
    assert!(!page.body.contains("https://"), "{page:?}");
    for part in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-initializer.js",
    ] {
        let answer = server.get(&format!("/docs/{part}")).await;
        assert_eq!(answer.status, 200, "{part}");
        assert!(!answer.body.is_empty(), "{part}");
    }
    let initializer = server.get("/docs/swagger-initializer.js").await;
    assert!(
        initializer.body.contains("/openapi.json"),
        "{initializer:?}"
    );
}
