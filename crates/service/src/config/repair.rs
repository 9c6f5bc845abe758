//! Reads a tree of values again and again, mending one fault each time, until all faults are known.

use std::collections::BTreeMap;

use figment::error::{Actual, Kind};
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::{ConfigFault, Source};

/// No configuration has more faults than this that a person wants to read at once.
const MAX_ROUNDS: usize = 500;

/// Reads `values`. The configuration comes with its faulty values replaced, so that the others can still be checked; it is
/// `None` when no stand-in fits.
pub(super) fn read<T: DeserializeOwned>(
    source: &Source,
    values: Dict,
) -> (Option<T>, Vec<ConfigFault>) {
    let mut repair = Repair {
        source,
        values: Value::from(values),
        faults: BTreeMap::new(),
        stand_ins: BTreeMap::new(),
    };
    for _ in 0..MAX_ROUNDS {
        match repair.values.deserialize::<T>() {
            Ok(config) => return (Some(config), repair.into_faults()),
            Err(error) => {
                if !repair.mend(error.path, error.kind) {
                    break;
                }
            }
        }
    }
    (None, repair.into_faults())
}

struct Repair<'a> {
    source: &'a Source,
    values: Value,
    faults: BTreeMap<String, String>,
    /// How many stand-ins a required key has been given so far.
    stand_ins: BTreeMap<String, usize>,
}

impl Repair<'_> {
    fn into_faults(self) -> Vec<ConfigFault> {
        self.faults
            .into_iter()
            .map(|(key, problem)| self.source.fault(&key, problem))
            .collect()
    }

    /// Notes a fault and changes the values so that reading gets past it; false when there is no way.
    fn mend(&mut self, mut path: Vec<String>, kind: Kind) -> bool {
        match &kind {
            Kind::UnknownField(field, _) => {
                if path.last() != Some(field) {
                    path.push(field.clone());
                }
                self.note(&path, &kind);
                self.remove(&path)
            }
            Kind::MissingField(field) => {
                path.push(field.to_string());
                // What lacks in a section that lacks itself is told by its own keys.
                for depth in 1..path.len() {
                    if self.stand_ins.contains_key(&path[..depth].join(".")) {
                        self.faults.remove(&path[..depth].join("."));
                    }
                }
                self.note(&path, &kind);
                self.stand_in(&path, None)
            }
            _ if path.is_empty() => {
                self.faults.insert(String::new(), describe(&kind, false));
                false
            }
            Kind::UnknownVariant(_, variants) if self.has_stand_in(&path) => {
                self.stand_in(&path, variants.first().copied())
            }
            _ if self.has_stand_in(&path) => self.stand_in(&path, None),
            _ if self.take_as_text(&path) => true,
            _ => {
                self.note(&path, &kind);
                self.remove(&path)
            }
        }
    }

    fn note(&mut self, path: &[String], kind: &Kind) {
        let key = path.join(".");
        let text = describe(kind, is_secret(&key));
        self.faults.entry(key).or_insert(text);
    }

    fn has_stand_in(&self, path: &[String]) -> bool {
        self.stand_ins.contains_key(&path.join("."))
    }

    /// The environment's text may look like a number where a text is wanted: take it as it was written.
    fn take_as_text(&mut self, path: &[String]) -> bool {
        let Some(text) = self.source.text_of(&path.join(".")) else {
            return false;
        };
        let text = Value::from(text);
        match self.at(path) {
            Some(value) if value.as_str() != text.as_str() => {
                *value = text;
                true
            }
            _ => false,
        }
    }

    /// Gives a required key the next value to try: a section, a text, numbers and so on.
    fn stand_in(&mut self, path: &[String], variant: Option<&str>) -> bool {
        let tries = self.stand_ins.entry(path.join(".")).or_default();
        let next = match (variant, *tries) {
            (Some(variant), _) => Value::from(variant),
            (None, 0) => Value::from(Dict::new()),
            (None, 1) => Value::from("x"),
            (None, 2) => Value::from(1),
            (None, 3) => Value::from(false),
            (None, 4) => Value::from("1s"),
            (None, 5) => Value::from("127.0.0.1:1"),
            (None, 6) => Value::from("127.0.0.1"),
            (None, 7) => Value::from(Vec::<Value>::new()),
            _ => return false,
        };
        *tries += 1;
        let Some((last, section)) = path.split_last() else {
            return false;
        };
        match self.at(section) {
            Some(Value::Dict(_, dict)) => {
                dict.insert(last.clone(), next);
                true
            }
            _ => false,
        }
    }

    /// Removes the value at a path, or the closest section of it that can be removed.
    fn remove(&mut self, path: &[String]) -> bool {
        for depth in (1..=path.len()).rev() {
            let (last, section) = (&path[depth - 1], &path[..depth - 1]);
            if let Some(Value::Dict(_, dict)) = self.at(section)
                && dict.remove(last).is_some()
            {
                return true;
            }
        }
        false
    }

    fn at(&mut self, path: &[String]) -> Option<&mut Value> {
        path.iter()
            .try_fold(&mut self.values, |value, key| match value {
                Value::Dict(_, dict) => dict.get_mut(key),
                _ => None,
            })
    }
}

/// Whether a key's value is kept out of messages.
fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    ["url", "secret", "password", "token", "key"]
        .iter()
        .any(|word| last.contains(word))
}

fn describe(kind: &Kind, secret: bool) -> String {
    let found = |actual: &Actual| match secret {
        true => "something else".to_owned(),
        false => actual.to_string(),
    };
    match kind {
        Kind::MissingField(_) => "is required and not set".to_owned(),
        Kind::UnknownField(_, []) => "is not a known key".to_owned(),
        Kind::UnknownField(_, known) => {
            format!("is not a known key; known here: {}", known.join(", "))
        }
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("expected {expected}, found {}", found(actual))
        }
        Kind::UnknownVariant(found, known) => {
            format!("`{found}` is not one of {}", known.join(", "))
        }
        Kind::Message(_) if secret => "can't be read".to_owned(),
        Kind::Message(text) => text.clone(),
        other => other.to_string(),
    }
}
