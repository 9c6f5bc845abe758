//! What the files say of an answer: `res.body.data[0].game_id`, and whether it is as asserted.

use anyhow::{Context, bail};
use serde_json::{Map, Value};

/// An answer as the files see it: `res.status`, `res.headers`, `res.body`.
#[derive(Debug)]
pub(super) struct Answer(Value);

impl Answer {
    /// The body is JSON where it can be read as such, else text.
    pub(super) fn new(status: u16, headers: Map<String, Value>, body: &str) -> Self {
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        let mut res = Map::new();
        res.insert("status".to_owned(), Value::from(status));
        res.insert("headers".to_owned(), Value::Object(headers));
        res.insert("body".to_owned(), body);
        Self(Value::Object(res))
    }

    /// What an expression stands for; `None` where the answer has no such thing.
    ///
    /// # Errors
    /// The expression is not understood.
    pub(super) fn look_up(&self, expression: &str) -> anyhow::Result<Option<&Value>> {
        let path = expression
            .strip_prefix("res")
            .with_context(|| format!("`{expression}` does not begin with `res`"))?;
        let (mut here, mut rest) = (Some(&self.0), path);
        while !rest.is_empty() {
            let (step, behind) = step(rest).with_context(|| format!("in `{expression}`"))?;
            here = here.and_then(|value| match step {
                Step::Field(name) => value.get(name),
                Step::Place(place) => value.get(place),
            });
            rest = behind;
        }
        Ok(here)
    }

    /// What is wrong with an assertion, such as `eq 200`; `None` when it holds.
    ///
    /// # Errors
    /// The assertion is not understood.
    pub(super) fn fault(&self, expression: &str, asserted: &str) -> anyhow::Result<Option<String>> {
        let found = self.look_up(expression)?;
        let (operator, operand) = asserted.split_once(' ').unwrap_or((asserted, ""));
        let text = found.and_then(Value::as_str);
        let number = found.and_then(Value::as_f64);
        let holds = match operator {
            "eq" => found == Some(&literal(operand)),
            "neq" => found != Some(&literal(operand)),
            "gt" => number.is_some_and(|number| Some(number) > literal(operand).as_f64()),
            "contains" => text.is_some_and(|text| text.contains(unquoted(operand))),
            "notContains" => text.is_some_and(|text| !text.contains(unquoted(operand))),
            "startsWith" => text.is_some_and(|text| text.starts_with(unquoted(operand))),
            "length" => found.and_then(Value::as_array).map(Vec::len) == operand.parse().ok(),
            "isDefined" => found.is_some(),
            "isNull" => found.is_some_and(Value::is_null),
            "isString" => text.is_some(),
            "isNumber" => number.is_some(),
            "isArray" => found.is_some_and(Value::is_array),
            other => bail!("the operator `{other}` is not understood; `bru` may"),
        };
        let shown = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
        let shown: String = shown.chars().take(300).collect();
        Ok((!holds).then(|| format!("{expression} is {shown}, not {asserted}")))
    }
}

enum Step<'a> {
    Field(&'a str),
    Place(usize),
}

/// The first step of a path, and what comes behind it.
fn step(path: &str) -> anyhow::Result<(Step<'_>, &str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        return Ok((Step::Field(name), behind));
    }
    let inside = path.strip_prefix('[').context("no step")?;
    let (inside, behind) = inside.split_once(']').context("no `]`")?;
    let quoted = inside
        .strip_prefix('\'')
        .and_then(|inside| inside.strip_suffix('\''));
    Ok(match quoted {
        Some(name) => (Step::Field(name), behind),
        None => (Step::Place(inside.parse()?), behind),
    })
}

/// Bruno's reading of an operand: a number, a word of JSON's, else text, which may stand in quotes.
fn literal(text: &str) -> Value {
    match text {
        "true" => Value::from(true),
        "false" => Value::from(false),
        "null" => Value::Null,
        text => match text.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(unquoted(text)),
        },
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let headers = serde_json::from_str(r#"{"content-type": "application/json"}"#).unwrap();
        Answer::new(
            200,
            headers,
            r#"{"data": [{"id": "a", "n": 1}], "next": null}"#,
        )
    }

    #[test]
    fn paths_lead_into_the_answer() {
        let answer = answer();
        let text = |expression| answer.look_up(expression).unwrap().map(Value::to_string);
        assert_eq!(text("res.body.data[0].id").unwrap(), "\"a\"");
        assert_eq!(
            text("res.headers['content-type']").unwrap(),
            "\"application/json\""
        );
        assert_eq!(text("res.body.data[1].id"), None);
        assert!(answer.look_up("body.data").is_err());
    }

    #[test]
    fn assertions_hold_or_say_what_is_there_instead() {
        let answer = answer();
        for (expression, asserted) in [
            ("res.status", "eq 200"),
            ("res.body.data", "length 1"),
            ("res.body.data[0].id", "eq a"),
            ("res.body.data[0].id", "neq b"),
            ("res.body.data[0].n", "gt 0"),
            ("res.body.next", "isNull"),
            ("res.headers['content-type']", "contains json"),
        ] {
            assert_eq!(answer.fault(expression, asserted).unwrap(), None);
        }
        let fault = answer.fault("res.status", "eq 404").unwrap();
        assert_eq!(fault.unwrap(), "res.status is 200, not eq 404");
        assert!(answer.fault("res.body.none", "isNull").unwrap().is_some());
        assert!(answer.fault("res.status", "between 1 2").is_err());
    }
}
