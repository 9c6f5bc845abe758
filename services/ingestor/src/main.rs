//! The ingestor. See `ingestor --help` and the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    ingestor::cli::main()
}
