//! `fields`: which fields of each item an answer shall have.

use serde::Serialize;
use serde_json::Value;
use service::Problem;

use super::{Params, Refusal};
use crate::views::Items;

/// The fields that are wanted; all of them without a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields(Option<Vec<String>>);

/// Takes `fields`, each of which has to be one of `known`.
pub(crate) fn fields(params: &mut Params, known: &[&str]) -> Fields {
    let read = |text: &str| {
        let mut wanted: Vec<String> = Vec::new();
        for name in text.split(',') {
            if !known.contains(&name) {
                let detail = format!("must be joined by commas from {}", known.join(", "));
                return Err(Refusal::new("malformed", detail));
            }
            if wanted.iter().any(|given| given == name) {
                return Err(Refusal::new("repeated", "must name each field once"));
            }
            wanted.push(name.to_owned());
        }
        Ok(wanted)
    };
    Fields(params.take("fields", read))
}

impl Fields {
    /// Every field.
    pub(crate) fn all() -> Self {
        Self(None)
    }

    /// Adds an item with the wanted fields alone.
    pub(crate) fn put(&self, item: &impl Serialize, items: &mut Items) -> Result<(), Problem> {
        let Some(wanted) = &self.0 else {
            return items.push(item);
        };
        let mut value = serde_json::to_value(item).map_err(Problem::internal)?;
        if let Value::Object(fields) = &mut value {
            fields.retain(|name, _| wanted.iter().any(|wanted| wanted == name));
        }
        items.push(&value)
    }
}
