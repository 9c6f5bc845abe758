//! The Bruno collection in `docs/bruno` against the OpenAPI document: nothing is left out of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Refusals that a stack with games and nothing else can't be brought to.
const OUT_OF_REACH: [&str; 1] = ["past-retention"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// The requests as text.
fn requests() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/bruno");
    files(Path::new(folder))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "bru"))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect()
}

/// Whether a request's path is one of this route's: `/v1/games/{{game1}}` of `/v1/games/{id}`.
fn is_of(route: &str, path: &str) -> bool {
    let (route, path): (Vec<&str>, Vec<&str>) =
        (route.split('/').collect(), path.split('/').collect());
    route.len() == path.len()
        && route.iter().zip(&path).all(|(step, given)| {
            let is_variable = given.starts_with("{{") || given.starts_with("no-such");
            step == given || (step.starts_with('{') && is_variable)
        })
}

/// Routes of administrators, who have tokens: without one, the refusal is what can be asserted.
#[test]
fn every_route_of_the_document_is_asked_and_answered() {
    let document = query_api::openapi::document().to_json().unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let requests = requests();
    let asked: BTreeSet<(String, String)> = requests
        .iter()
        .filter_map(|request| {
            let (before, url) = request.split_once(" {\n  url: {{baseUrl}}")?;
            let method = before.rsplit('\n').next()?;
            let path = url.split(['?', '\n']).next()?;
            let status = match path.starts_with("/v1/admin/") {
                true => "res.status: eq 401\n",
                false => "res.status: eq 200\n",
            };
            let answered = request.contains(status);
            answered.then(|| (method.to_owned(), path.to_owned()))
        })
        .collect();
    for (route, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let covered = asked
                .iter()
                .any(|(asked, path)| asked == method && is_of(route, path));
            assert!(covered, "docs/bruno asks {method} {route} nowhere");
        }
    }
}

/// The codes of 4xx in the table of docs/API.md that anyone can bring about without a token.
#[test]
fn every_refusal_of_the_contract_is_asserted() {
    let table = include_str!("../../../../docs/API.md");
    let requests = requests().concat();
    let mut codes = 0;
    for line in table.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(status), Some(names)) = (cells.next(), cells.next()) else {
            continue;
        };
        if !["400", "404", "405", "410", "415"].contains(&status) {
            continue;
        }
        for code in names.split('`').filter(|name| name.contains('-')) {
            codes += 1;
            let asserted = requests.contains(&format!("res.body.code: eq {code}\n"));
            assert!(
                asserted || OUT_OF_REACH.contains(&code),
                "docs/bruno asserts {code} nowhere"
            );
        }
    }
    assert!(codes > 8, "the table of refusals is not where it was");
}
