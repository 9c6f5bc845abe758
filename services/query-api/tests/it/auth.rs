//! Who may: with and without tokens, with good ones and with every kind of bad one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use test_support::TestDatabase;

use crate::http::{Answer, send};
use crate::server::TestServer;
use crate::tokens::{Issuer, Key, SECRET, claims, signed};

const GAME: &str = "/v1/games/nope";

fn settings(anonymous: &str, signed_by: &str) -> String {
    format!(
        "[auth]\nanonymous_scopes = [{anonymous}]\nissuer = 'https://id.test'\naudience = 'game-history'\n{signed_by}\n"
    )
}

/// A server that takes tokens of [`SECRET`], and nobody without one.
async fn closed() -> (TestServer, TestDatabase) {
    let database = TestDatabase::create().await;
    let settings = settings("", &format!("hs256_secret = '{SECRET}'"));
    let server = TestServer::with_settings(&database.url(), &settings).await;
    (server, database)
}

fn jwks(url: &str, more: &str) -> String {
    format!("jwks = {{ url = '{url}', allow_http = true{more} }}")
}

async fn ask(server: &TestServer, target: &str, token: &str) -> Answer {
    let header = format!("Bearer {token}");
    send(server.address, "GET", target, &[("authorization", &header)]).await
}

/// Checks that an answer refuses a token, with the challenge that says so.
fn refused(answer: &Answer, detail: &str) {
    let problem = answer.problem(401, "invalid-token");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer realm="), "{challenge}");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    let told = problem["detail"].as_str().unwrap();
    assert!(told.contains(detail), "{detail}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anonymous_scopes_every_route_of_the_history_asks_for_a_token() {
    let (server, _database) = closed().await;
    let document = query_api::openapi::document().to_json().unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let target = path
            .replace("{id}", "x")
            .replace("{a}", "x")
            .replace("{b}", "y");
        for (method, operation) in methods.as_object().unwrap() {
            let answer = send(server.address, &method.to_uppercase(), &target, &[]).await;
            if !path.starts_with("/v1/") {
                assert!(matches!(answer.status, 200 | 503), "{path}: {answer:?}");
                assert_eq!(operation["security"], Value::Null, "{path}");
                continue;
            }
            asked += 1;
            answer.problem(401, "authentication-required");
            let scope = operation["security"].as_array().unwrap().last().unwrap()["token"][0]
                .as_str()
                .unwrap();
            assert_eq!(
                answer.header("www-authenticate").unwrap(),
                format!("Bearer realm=\"game-history\", scope=\"{scope}\""),
                "{path}"
            );
            let head = send(server.address, "HEAD", &target, &[]).await;
            assert_eq!(head.status, 401, "HEAD {path}");
        }
    }
    assert!(asked >= 13, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_allows_what_its_scopes_say_and_no_more() {
    let (server, _database) = closed().await;
    let mut listed = claims("");
    listed["scp"] = json!(["history:read", "other:scope"]);
    for (claims, read, export) in [
        (claims("history:read"), 404, 403),
        (claims("openid history:export"), 403, 200),
        (claims("history:read history:export"), 404, 200),
        (claims("history:admin"), 403, 403),
        (claims("history history:reader"), 403, 403),
        (listed, 404, 403),
    ] {
        let token = signed(&claims, SECRET);
        let answer = ask(&server, GAME, &token).await;
        assert_eq!(answer.status, read, "{claims}: {answer:?}");
        let answer = ask(&server, "/v1/games/export", &token).await;
        assert_eq!(answer.status, export, "{claims}: {answer:?}");
        if export == 403 {
            answer.problem(403, "insufficient-scope");
            assert_eq!(
                answer.header("www-authenticate").unwrap(),
                "Bearer realm=\"game-history\", error=\"insufficient_scope\", scope=\"history:export\""
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_does_not_hold_refuses_the_token() {
    let (server, _database) = closed().await;
    let now = Utc::now().timestamp();
    for (claim, value, detail) in [
        ("exp", json!(now - 40), "expired"),
        ("exp", Value::Null, "lacks a claim"),
        ("exp", json!("tomorrow"), "lacks a claim"),
        ("nbf", json!(now + 40), "not valid yet"),
        (
            "iss",
            json!("https://id.test.evil.example"),
            "issued by somebody else",
        ),
        ("iss", Value::Null, "lacks a claim"),
        ("aud", json!("game-history-2"), "for somebody else"),
        ("aud", json!(["a", "b"]), "for somebody else"),
        ("aud", Value::Null, "lacks a claim"),
        ("sub", json!(""), "lacks a claim"),
        ("sub", json!("x".repeat(257)), "lacks a claim"),
        ("sub", Value::Null, "the token"),
    ] {
        let mut claims = claims("history:read");
        claims[claim] = value;
        if claims[claim].is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        }
        refused(&ask(&server, GAME, &signed(&claims, SECRET)).await, detail);
    }
    // Clocks may differ a little, and a token may be for several.
    for (claim, value) in [
        ("exp", json!(now - 10)),
        ("nbf", json!(now + 10)),
        ("aud", json!(["another", "game-history"])),
    ] {
        let mut claims = claims("history:read");
        claims[claim] = value;
        let answer = ask(&server, GAME, &signed(&claims, SECRET)).await;
        answer.problem(404, "game-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_signed_otherwise_is_refused() {
    let (server, _database) = closed().await;
    let claims = claims("history:read");
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let good = signed(&claims, SECRET);
    let (body, signature) = good.rsplit_once('.').unwrap();
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let longer = jsonwebtoken::encode(&Header::new(Algorithm::HS384), &claims, &key).unwrap();
    let mut critical = Header::new(Algorithm::HS256);
    critical.crit = Some(vec!["b64".to_owned()]);
    let critical = jsonwebtoken::encode(&critical, &claims, &key).unwrap();
    for (token, detail) in [
        (
            signed(&claims, "another secret of 32 bytes or more, really"),
            "signature",
        ),
        (
            format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims)),
            "can't be read",
        ),
        (
            format!(
                "{}.{}.{signature}",
                part(&json!({"alg": "None"})),
                part(&claims)
            ),
            "can't be read",
        ),
        (longer, "signed in a way"),
        (Key::rsa("k").sign(&claims), "signed in a way"),
        (format!("{body}."), "signature"),
        (body.to_owned(), "can't be read"),
        (format!("{good}.{signature}"), "can't be read"),
        ("x".to_owned(), "can't be read"),
        ("..".to_owned(), "can't be read"),
        (critical, "can't be read"),
    ] {
        let answer = ask(&server, GAME, &token).await;
        refused(&answer, detail);
        assert!(!answer.body.contains(signature), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_brings_no_token_is_refused_also_where_none_is_needed() {
    let database = TestDatabase::create().await;
    let settings = settings("'history:read'", &format!("hs256_secret = '{SECRET}'"));
    let server = TestServer::with_settings(&database.url(), &settings).await;
    let good = format!("Bearer {}", signed(&claims("history:read"), SECRET));
    for headers in [
        vec![("authorization", "Basic dTpw")],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "")],
        vec![
            ("authorization", good.as_str()),
            ("authorization", good.as_str()),
        ],
    ] {
        refused(&send(server.address, "GET", GAME, &headers).await, "once");
    }
    for headers in [vec![], vec![("authorization", good.as_str())]] {
        let answer = send(server.address, "GET", GAME, &headers).await;
        answer.problem(404, "game-not-found");
    }
    let export = server.get("/v1/games/export").await;
    export.problem(401, "authentication-required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_keys_answers_everybody_and_takes_no_token() {
    let (server, _database) = TestServer::start().await;
    assert_eq!(server.get("/v1/games/export").await.status, 200);
    let token = signed(&claims("history:admin"), SECRET);
    refused(&ask(&server, GAME, &token).await, "takes none");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_the_issuers_keys_are_taken_and_no_key_stands_for_two_algorithms() {
    let (issuer, rsa, ec) = (Issuer::start().await, Key::rsa("r"), Key::ec("e"));
    issuer.publish(&[&rsa, &ec]);
    let database = TestDatabase::create().await;
    let settings = settings("", &jwks(&issuer.url, ""));
    let server = TestServer::with_settings(&database.url(), &settings).await;
    let claims = claims("history:read");
    for key in [&rsa, &ec] {
        let answer = ask(&server, GAME, &key.sign(&claims)).await;
        answer.problem(404, "game-not-found");
    }
    // The public key as the secret of an HMAC, and one key's name over another's signature.
    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = Some("r".to_owned());
    let public = serde_json::to_value(rsa.public()).unwrap()["n"]
        .as_str()
        .unwrap()
        .to_owned();
    for secret in [
        public.clone().into_bytes(),
        URL_SAFE_NO_PAD.decode(public).unwrap(),
    ] {
        let secret = EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&confused, &claims, &secret).unwrap();
        refused(&ask(&server, GAME, &token).await, "signed in a way");
    }
    let other = Key {
        id: "r".to_owned(),
        ..Key::ec("e")
    };
    refused(
        &ask(&server, GAME, &other.sign(&claims)).await,
        "signed in a way",
    );
    let forged = Key::rsa("r");
    refused(
        &ask(&server, GAME, &forged.sign(&claims)).await,
        "signature",
    );
    refused(
        &ask(&server, GAME, &signed(&claims, SECRET)).await,
        "nobody knows",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_fetched_when_it_is_first_seen_but_not_for_every_stranger() {
    let (issuer, old, new) = (Issuer::start().await, Key::ec("old"), Key::ec("new"));
    issuer.publish(&[&old]);
    let database = TestDatabase::create().await;
    let settings = settings("", &jwks(&issuer.url, ", min_interval = '1s'"));
    let server = TestServer::with_settings(&database.url(), &settings).await;
    let claims = claims("history:read");
    ask(&server, GAME, &old.sign(&claims))
        .await
        .problem(404, "game-not-found");
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    issuer.publish(&[&new]);
    let before = issuer.asked();
    ask(&server, GAME, &new.sign(&claims))
        .await
        .problem(404, "game-not-found");
    refused(
        &ask(&server, GAME, &old.sign(&claims)).await,
        "nobody knows",
    );
    for n in 0..50 {
        let stranger = Key {
            id: format!("s-{n}"),
            ..Key::ec("s")
        };
        refused(
            &ask(&server, GAME, &stranger.sign(&claims)).await,
            "nobody knows",
        );
    }
    let asked = issuer.asked() - before;
    assert!((1..=3).contains(&asked), "asked {asked} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_issuer_is_away_what_needs_no_token_is_answered_and_the_rest_when_it_is_back() {
    let (issuer, key) = (Issuer::start().await, Key::ec("k"));
    let database = TestDatabase::create().await;
    let settings = settings(
        "'history:read'",
        &jwks(&issuer.url, ", min_interval = '100ms'"),
    );
    let server = TestServer::with_settings(&database.url(), &settings).await;
    let token = key.sign(&claims("history:read"));
    let answer = ask(&server, GAME, &token).await;
    answer.problem(503, "keys-unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert!(!answer.body.contains("127.0.0.1"), "{answer:?}");
    server.get(GAME).await.problem(404, "game-not-found");

    issuer.publish(&[&key]);
    for _ in 0..100 {
        let answer = ask(&server, GAME, &token).await;
        if answer.status == 404 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the issuer's keys were not fetched again");
}
