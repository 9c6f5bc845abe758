//! What is wrong with a configuration, all of it.

use std::fmt;
use std::path::Path;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The key in the file, such as `database.url`; empty when the whole is meant.
    pub key: String,
    /// The variable of the environment that sets it, such as `INGESTOR__DATABASE__URL`.
    pub variable: String,
    /// What is wrong, as a phrase.
    pub problem: String,
}

impl ConfigFault {
    /// Whether `key` is this fault's key or lies in its section.
    pub(super) fn covers(&self, key: &str) -> bool {
        key.strip_prefix(&self.key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return f.write_str(&self.problem);
        }
        write!(f, "{} ({}): {}", self.key, self.variable, self.problem)
    }
}

/// Everything that is wrong with a configuration, one fault a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFaults {
    faults: Vec<ConfigFault>,
}

impl ConfigFaults {
    pub(super) fn new(mut faults: Vec<ConfigFault>) -> Self {
        faults.sort_by(|a, b| a.key.cmp(&b.key));
        Self { faults }
    }

    pub(super) fn of_file(path: &Path, problem: String) -> Self {
        Self::new(vec![ConfigFault {
            key: String::new(),
            variable: String::new(),
            problem: format!("{}: {problem}", path.display()),
        }])
    }

    /// The faults, by key.
    #[must_use]
    pub fn as_slice(&self) -> &[ConfigFault] {
        &self.faults
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.as_slice() {
            [one] => write!(f, "the configuration has a fault: {one}"),
            all => {
                write!(f, "the configuration has {} faults:", all.len())?;
                all.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for ConfigFaults {}
