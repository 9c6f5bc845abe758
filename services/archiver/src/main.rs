//! The archiver. See `archiver --help` and the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    archiver::cli::main()
}
