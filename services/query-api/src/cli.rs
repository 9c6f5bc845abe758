//! The command line: `run`, `check-config`, `openapi`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service::redacted;

use crate::config::Config;
use crate::{openapi, run};

const LONG_ABOUT: &str = "\
Reads of the game history over HTTP.

Settings come from defaults, then the file of --config (TOML), then the environment, where QUERY_API__DATABASE__URL is \
database.url. Required are

  QUERY_API__DATABASE__URL    postgres://user:password@host:port/database
  QUERY_API__CURSOR__SECRET   signs page cursors; 16 bytes or more, the same everywhere

and often set are QUERY_API__LISTEN (0.0.0.0:8080), QUERY_API__DATABASE__POOL__MAX_SIZE (16) and \
QUERY_API__TELEMETRY__LOG_FORMAT (json or text).

The service starts without a database and is ready once there is one with a current schema. SIGTERM and SIGINT end it after \
the requests in hand; a second signal ends it at once. Exit codes: 0 ended as asked, 1 failed, 2 wrong configuration or \
arguments.";

/// Reads of the game history over HTTP.
#[derive(Debug, Parser)]
#[command(name = "query-api", version, about, long_about = LONG_ABOUT)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until told to stop
    Run(ConfigArgs),
    /// Read the configuration, say everything that is wrong with it, or show it without its secrets
    CheckConfig(ConfigArgs),
    /// Print the OpenAPI document
    Openapi,
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE", env = "QUERY_API_CONFIG")]
    config: Option<PathBuf>,
}

/// Parses the arguments, runs the command, and tells a failure on standard error.
#[must_use]
pub fn main() -> ExitCode {
    match execute(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn execute(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => run::run(Config::load(args.file())?),
        Command::CheckConfig(args) => {
            print(&redacted(&Config::load(args.file())?));
            Ok(())
        }
        Command::Openapi => {
            print(&openapi::document().to_pretty_json()?);
            Ok(())
        }
    }
}

impl ConfigArgs {
    fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "this is where a person is told")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    service::exit_code(error)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
