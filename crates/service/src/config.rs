//! Configuration: defaults, then a TOML file, then the environment, and every fault of it told at once.
//!
//! Serde stops at the first fault, so a faulty value is noted, taken out (or replaced by a stand-in where one is required) and
//! the rest is read again until nothing is left to complain about. Values of keys that look like secrets are never shown.

mod faults;
mod repair;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use figment::value::Dict;
use serde::de::DeserializeOwned;

pub use faults::{ConfigFault, ConfigFaults};

/// Reads a configuration whose environment variables begin with `PREFIX__`.
///
/// # Errors
/// [`ConfigFaults`] with every fault there is.
pub fn load<T: DeserializeOwned>(prefix: &str, file: Option<&Path>) -> Result<T, ConfigFaults> {
    load_checked(prefix, file, |_| Vec::new())
}

/// Reads a configuration and checks its values: `check` returns pairs of a key, such as `database.url`, and what is wrong.
///
/// # Errors
/// [`ConfigFaults`] with every fault there is, of form and of value.
pub fn load_checked<T: DeserializeOwned>(
    prefix: &str,
    file: Option<&Path>,
    check: impl FnOnce(&T) -> Vec<(String, String)>,
) -> Result<T, ConfigFaults> {
    let source = Source::new(prefix, std::env::vars_os());
    let values = source.values(file)?;
    let (config, mut faults) = repair::read(&source, values);
    if let Some(config) = &config {
        for (key, problem) in check(config) {
            // A stand-in for a faulty value may have faults of its own that nobody wrote.
            if !faults.iter().any(|fault| fault.covers(&key)) {
                faults.push(source.fault(&key, problem));
            }
        }
    }
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(ConfigFaults::new(faults)),
    }
}

/// Puts `section.` before the keys of faults: for a section that checks itself.
pub fn in_section<K: AsRef<str>>(
    section: &str,
    faults: impl IntoIterator<Item = (K, String)>,
) -> Vec<(String, String)> {
    faults
        .into_iter()
        .map(|(key, problem)| (format!("{section}.{}", key.as_ref()), problem))
        .collect()
}

/// A configuration in one line for the log. Secrets are kept by `secrecy`'s types, whose `Debug` shows none.
pub fn redacted(config: &impl std::fmt::Debug) -> String {
    format!("{config:?}")
}

/// The exit code for a failed run: 2 when the configuration is at fault, else 1.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<ConfigFaults>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Where values come from: the prefix of the environment's variables, and those variables.
pub(crate) struct Source {
    prefix: String,
    variables: Vec<(String, String)>,
}

impl Source {
    fn new(prefix: &str, variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let start = format!("{prefix}__");
        let variables = variables
            .map(|(name, value)| {
                (
                    name.to_string_lossy().into_owned(),
                    value.to_string_lossy().into_owned(),
                )
            })
            .filter(|(name, _)| name.starts_with(&start))
            .collect();
        Self {
            prefix: prefix.to_owned(),
            variables,
        }
    }

    /// File and environment in one tree.
    fn values(&self, file: Option<&Path>) -> Result<Dict, ConfigFaults> {
        let mut figment = Figment::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| ConfigFaults::of_file(path, error.to_string()))?;
            // Read first by the parser itself, whose message shows the line.
            toml::from_str::<toml::Table>(&text)
                .map_err(|error| ConfigFaults::of_file(path, error.to_string()))?;
            figment = figment.merge(Toml::string(&text));
        }
        let environment = Env::prefixed(&format!("{}__", self.prefix)).split("__");
        figment
            .merge(environment)
            .extract()
            .map_err(|error| ConfigFaults::new(vec![self.fault("", error.to_string())]))
    }

    /// The environment's variable for a key.
    fn variable(&self, key: &str) -> String {
        format!(
            "{}__{}",
            self.prefix,
            key.replace('.', "__").to_ascii_uppercase()
        )
    }

    /// The text that the environment gives for a key.
    fn text_of(&self, key: &str) -> Option<&str> {
        let variable = self.variable(key);
        self.variables
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&variable))
            .map(|(_, value)| value.as_str())
    }

    fn fault(&self, key: &str, problem: String) -> ConfigFault {
        ConfigFault {
            key: key.to_owned(),
            variable: self.variable(key),
            problem,
        }
    }
}

#[cfg(test)]
mod tests;
