//! The Python that has the archive's foreign readers.

use std::process::Command;

use crate::variable;

/// A Python that can import `duckdb` and `pyarrow`, to be given a script.
///
/// # Panics
/// Outside of `cargo dx test`.
#[must_use]
pub fn python() -> Command {
    let mut command = Command::new(variable("GAME_HISTORY_TEST_PYTHON"));
    // What the caller's shell says of Python is no matter of the tests.
    command
        .env_remove("PYTHONPATH")
        .env_remove("PYTHONHOME")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
