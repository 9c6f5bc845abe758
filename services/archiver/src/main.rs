//! The archiver. See `archiver --help` and the library of the same name.

use std::process::ExitCode;

/// Files grow in memory, and records come and go in small pieces from many threads: the system's allocator answers with time and
/// fragments.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    archiver::cli::main()
}
