//! The command line of the archiver.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{accept_gap, cat, copy_to_topic, ls, quarantine, run, sweep, verify};

/// Puts every record of Kafka's topics into object storage, each once, provably.
///
/// Configuration comes from defaults, then --config FILE, then the environment: `ARCHIVER__STORE__URL` is `url` of the section
/// `store`. Exit codes: 0 done, 1 failed, 2 wrong configuration or arguments.
#[derive(Debug, Parser)]
#[command(name = "archiver", version)]
pub struct Cli {
    /// Read this TOML file before the environment
    #[arg(long, global = true, env = "ARCHIVER_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Archive until told to stop (SIGTERM or SIGINT)
    Run,
    /// Prove that the archive is whole and agrees with Kafka; names every object that is to blame
    Verify(verify::Args),
    /// Print records as NDJSON: those of one game, or a range of offsets
    Cat(cat::Args),
    /// Print the files that count, for whoever reads them with a tool of their own
    Ls(ls::Args),
    /// Fill an empty topic from the archive; a developer's tool, not a recovery
    CopyToTopic(copy_to_topic::Args),
    /// Go on behind offsets that Kafka has removed before they were archived; they are lost, and that is recorded
    AcceptGap(accept_gap::Args),
    /// Move a damaged or hostile file out of everybody's way; nothing is passed over in silence by that
    Quarantine(quarantine::Args),
    /// Remove files of attempts that never came to count, from a whole topic
    Sweep(sweep::Args),
    /// Read the configuration, name every fault, and exit
    CheckConfig,
}

/// Parses the arguments and runs the command.
#[expect(clippy::print_stderr, reason = "this is where a person is told")]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(execute(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            service::exit_code(&error)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the commands' answers")]
async fn execute(cli: Cli) -> anyhow::Result<()> {
    let config = Config::load(cli.config.as_deref())?;
    match cli.command {
        Command::Run => Box::pin(run::run(config)).await,
        Command::Verify(args) => Box::pin(verify::run(&config, args)).await,
        Command::Cat(args) => Box::pin(cat::run(&config, args)).await,
        Command::Ls(args) => ls::run(&config, args).await,
        Command::CopyToTopic(args) => Box::pin(copy_to_topic::run(&config, args)).await,
        Command::AcceptGap(args) => accept_gap::run(&config, args).await,
        Command::Quarantine(args) => quarantine::run(&config, args).await,
        Command::Sweep(args) => sweep::run(&config, args).await,
        Command::CheckConfig => {
            println!("the configuration is sound\n{}", service::redacted(&config));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
