//! `cargo dx`: the developer's command. See [`cli`].

mod bench;
mod bruno;
mod chaos;
mod cli;
mod console;
mod demo;
mod doctor;
mod import;
mod show;
mod simulate;
mod stack;
mod tests;
mod verify;

use std::process::ExitCode;

/// The services' allocator, so that what `bench` measures in this process is told like theirs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
