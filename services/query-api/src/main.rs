//! The query API's process. Everything is in the library.

use std::process::ExitCode;

/// Games come and go in small pieces from many threads, which the system's allocator answers with time and fragments.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    query_api::cli::main()
}
