//! `cargo dx`: the developer's command. See [`cli`].

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

fn main() -> ExitCode {
    cli::main()
}
