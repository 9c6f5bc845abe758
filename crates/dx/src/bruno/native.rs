//! Sends a collection's requests one after the other, each with what the answers before it have left.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::redirect::Policy;
use serde_json::{Map, Value};

use super::BASE_URL;
use super::collection::{Collection, Request};
use super::expression::Answer;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a collection.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) requests: usize,
    pub(super) assertions: usize,
    /// What does not hold, a line each.
    pub(super) failures: Vec<String>,
}

/// Sends the requests whose file's path has `only` in it, or all.
///
/// # Errors
/// The API does not answer, or a file is not understood.
pub(super) async fn run(
    collection: &Collection,
    api: &str,
    only: Option<&str>,
) -> anyhow::Result<Outcome> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(Policy::none())
        .no_proxy()
        .build()?;
    let mut variables = HashMap::from([(BASE_URL.to_owned(), api.to_owned())]);
    let mut outcome = Outcome::default();
    let wanted = |request: &&Request| only.is_none_or(|only| request.file.contains(only));
    for request in collection.requests.iter().filter(wanted) {
        let answer = send(&client, request, &variables)
            .await
            .with_context(|| request.file.clone())?;
        outcome.requests += 1;
        for (expression, asserted) in &request.assertions {
            let asserted = filled(asserted, &variables)?;
            let fault = answer
                .fault(expression, &asserted)
                .with_context(|| request.file.clone())?;
            outcome.assertions += 1;
            let told = fault.map(|fault| format!("{}: {fault}", request.file));
            outcome.failures.extend(told);
        }
        for (name, expression) in &request.variables {
            let found = answer.look_up(expression)?;
            let text = match found {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            variables.insert(name.clone(), text);
        }
    }
    ensure!(outcome.requests > 0, "no file's path has that in it");
    Ok(outcome)
}

async fn send(
    client: &reqwest::Client,
    request: &Request,
    variables: &HashMap<String, String>,
) -> anyhow::Result<Answer> {
    let url = filled(&request.url, variables)?;
    let mut sending = client.request(request.method.parse()?, &url);
    for (name, value) in &request.headers {
        sending = sending.header(name, filled(value, variables)?);
    }
    if let Some((body, media_type)) = &request.body {
        if !request
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            sending = sending.header("content-type", *media_type);
        }
        sending = sending.body(filled(body, variables)?);
    }
    let response = sending
        .send()
        .await
        .with_context(|| format!("{url} does not answer"))?;
    let headers: Map<String, Value> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), Value::from(value))
        })
        .collect();
    let status = response.status().as_u16();
    Ok(Answer::new(status, headers, &response.text().await?))
}

/// A text with the values of its `{{variables}}`.
fn filled(text: &str, variables: &HashMap<String, String>) -> anyhow::Result<String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, behind) = behind
            .split_once("}}")
            .with_context(|| format!("`{text}` has no `}}}}`"))?;
        let value = variables
            .get(name.trim())
            .with_context(|| format!("nothing has set `{name}`"))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_unknown_ones_named() {
        let variables = HashMap::from([("a".to_owned(), "1".to_owned())]);
        assert_eq!(filled("x{{a}}y{{ a }}", &variables).unwrap(), "x1y1");
        let error = filled("{{b}}", &variables).unwrap_err().to_string();
        assert!(error.contains("`b`"), "{error}");
    }
}
