//! The command line of the ingestor.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{accept_gap, dead_letters, run, status};

/// Folds game events from Kafka into the history in PostgreSQL, exactly once in effect.
///
/// Configuration comes from defaults, then --config FILE, then the environment: `INGESTOR__DATABASE__URL` is `url` of the
/// section `database`. Exit codes: 0 done, 1 failed, 2 wrong configuration or arguments.
#[derive(Debug, Parser)]
#[command(name = "ingestor", version)]
pub struct Cli {
    /// Read this TOML file before the environment
    #[arg(long, global = true, env = "INGESTOR_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Consume events until told to stop (SIGTERM or SIGINT)
    Run,
    /// Bring the database's schema up to date; safe to run from several places at once
    Migrate,
    /// Show every partition's checkpoint: how far it is and how far behind, how much of what, what is stopped and how to go on
    Status,
    /// Look at records that were set aside, and learn how to put them right
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Go on behind offsets that Kafka has removed before they were read; what was in them is lost, and that is recorded
    AcceptGap(accept_gap::Args),
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
        Command::Run => run::run(config).await,
        Command::Status => status::print(&config).await,
        Command::DeadLetters(command) => dead_letters::run(&config.database, command).await,
        Command::AcceptGap(args) => accept_gap::run(&config, args).await,
        Command::Migrate => {
            let applied = store::migrate::run(&config.database).await?;
            match applied.as_slice() {
                [] => println!(
                    "the schema is up to date ({})",
                    store::migrate::latest_version()
                ),
                applied => println!("applied {}", applied.join(", ")),
            }
            Ok(())
        }
        Command::CheckConfig => {
            println!("the configuration is sound\n{}", service::redacted(&config));
            Ok(())
        }
    }
}
