//! The ingestor. See `ingestor --help` and the library of the same name.

use std::process::ExitCode;

/// Games come and go in small pieces from many threads, which the system's allocator answers with time and fragments.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ingestor::cli::main()
}
