//! The middleware around handlers that fail in every way: each answer is a problem, and a 5xx tells nothing of its cause.

use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::dev::Service as _;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, web};
use serde_json::Value;

use super::*;

struct Answer {
    status: u16,
    content_type: String,
    request_id: String,
    body: Value,
}

async fn ask(path: &str, request_id: &str) -> Answer {
    let limits = RequestLimits {
        timeout: Duration::from_millis(50),
    };
    let app = App::new()
        .app_data(web::Data::new(limits))
        .wrap(from_fn(observe))
        .route("/panic", web::get().to(|| async { panic_with_a_secret() }))
        .route("/slow", web::get().to(slow))
        .route("/number/{n}", web::get().to(number))
        .route("/body", web::get().to(body))
        .route("/broken", web::get().to(broken))
        .route("/says", web::get().to(says_itself))
        .default_service(web::to(unknown_route));
    let app = init_service(app).await;
    let request = TestRequest::with_uri(path)
        .insert_header(("x-request-id", request_id))
        .to_request();
    // What the server does with an error that leaves the application: it sends the response inside.
    let response = match app.call(request).await {
        Ok(response) => response.into_parts().1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    };
    let header = |name: &str| {
        let value = response.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    Answer {
        status: response.status().as_u16(),
        content_type: header(header::CONTENT_TYPE.as_str()),
        request_id: header("x-request-id"),
        body: serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap(),
    }
}

fn panic_with_a_secret() -> HttpResponse {
    panic!("hunter2")
}

async fn slow() -> HttpResponse {
    tokio::time::sleep(Duration::from_secs(60)).await;
    HttpResponse::Ok().finish()
}

async fn number(n: web::Path<u8>) -> HttpResponse {
    HttpResponse::Ok().json(*n)
}

async fn body(body: web::Json<Value>) -> HttpResponse {
    HttpResponse::Ok().json(body.into_inner())
}

async fn broken() -> Result<HttpResponse, Problem> {
    Err(Problem::internal("hunter2"))
}

async fn says_itself() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json("not yet")
}

#[actix_web::test]
async fn every_failure_is_a_problem_with_the_requests_id() {
    for (path, status, code) in [
        ("/panic", 500, "internal"),
        ("/broken", 500, "internal"),
        ("/slow", 503, "timeout"),
        ("/number/many", 404, "unknown-route"),
        ("/body", 400, "bad-request"),
        ("/nowhere", 404, "unknown-route"),
    ] {
        let answer = ask(path, "r-7").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json", "{path}");
        assert_eq!(answer.request_id, "r-7", "{path}");
        assert_eq!(answer.body["code"], code, "{path}");
        assert_eq!(answer.body["status"], status, "{path}");
        assert_eq!(answer.body["instance"], path);
        assert_eq!(answer.body["request_id"], "r-7", "{path}");
        assert_eq!(
            answer.body["type"],
            format!("urn:game-history:problem:{code}"),
            "{path}"
        );
        assert!(!answer.body.to_string().contains("hunter2"), "{path}");
    }
}

#[actix_web::test]
async fn an_answer_that_is_json_itself_stays() {
    let answer = ask("/says", "r-7").await;
    assert_eq!((answer.status, answer.body), (503, Value::from("not yet")));
}

#[actix_web::test]
async fn a_request_id_that_is_not_plain_is_replaced() {
    for id in ["", "a b", "ü", &"x".repeat(129)] {
        let answer = ask("/nowhere", id).await;
        assert_eq!(
            answer.request_id.len(),
            36,
            "{id:?} gave {}",
            answer.request_id
        );
    }
}
