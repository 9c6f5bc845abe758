//! The query API's process. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    query_api::cli::main()
}
