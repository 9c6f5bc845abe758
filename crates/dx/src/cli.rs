//! The command line of `cargo dx`: one enum, one match, one module for each command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{bench, bruno, chaos, demo, doctor, import, show, simulate, stack, tests, verify};

/// The exit code of an attack that broke nothing because it did too little.
const PROVES_NOTHING: u8 = 3;

/// Everything a developer of game-history needs, real parts only: Apache Kafka, PostgreSQL, the services, games to fill them.
#[derive(Debug, Parser)]
#[command(name = "cargo dx", bin_name = "cargo dx", version, about)]
struct Cli {
    /// Which local stack to use; stacks of different profiles run side by side [default: local; test for `test`, bench for `bench`, demo for `demo`, chaos-SEED for `chaos`]
    #[arg(long, global = true, env = "DX_PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    servers: stack::Servers,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is missing on this machine and how to get it
    Doctor(doctor::Args),
    /// Start Kafka and PostgreSQL, create the topic, run the migrations
    Up(stack::UpArgs),
    /// Stop everything the profile runs
    Down(stack::DownArgs),
    /// Say what runs, where, and how far it is
    Status(stack::StatusArgs),
    /// Show the log of one part
    Logs(stack::LogsArgs),
    /// Bring the database's schema up to date
    Migrate(stack::MigrateArgs),
    /// Run one service against the profile's stack
    Run(stack::RunArgs),
    /// Play games and publish their events
    Simulate(simulate::Args),
    /// Publish the games of a PGN file
    ImportPgn(import::Args),
    /// Fold the whole topic with independent code and compare with PostgreSQL
    Verify(verify::Args),
    /// Show a game or a player's history, asked of the query API
    #[command(subcommand)]
    Show(show::Args),
    /// Watch the main job, whole: start everything, play, import, read, verify, stop
    Demo(demo::Args),
    /// Attack a stack of its own while games are published, and judge what is left
    Chaos(chaos::Args),
    /// Measure what this machine carries, with release builds on a stack of its own
    #[command(subcommand)]
    Bench(bench::Command),
    /// Send every request of the Bruno collection in docs/bruno to the query API and check the answers
    Bruno(bruno::Args),
    /// Run every test, with the servers they need
    Test(tests::Args),
}

/// Parses the arguments and runs the command; its failure is told on standard error with its causes.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Runs a command line, program name included, as if it had been typed.
///
/// # Errors
/// The words make no command, or the command fails.
pub(crate) async fn execute<'a>(words: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    run(Cli::try_parse_from(words)?).await
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let usual = match &cli.command {
        Command::Test(_) => "test".to_owned(),
        Command::Demo(_) => "demo".to_owned(),
        Command::Chaos(args) => args.profile_name(),
        Command::Bench(_) => "bench".to_owned(),
        _ => "local".to_owned(),
    };
    let name = cli.profile.as_deref().unwrap_or(&usual);
    let profile = stack::Profile::load(name, &cli.servers)?;
    match cli.command {
        Command::Doctor(args) => doctor::run(&profile, &args),
        Command::Up(args) => stack::up(&profile, &args).await,
        Command::Down(args) => stack::down(&profile, &args).await,
        Command::Status(args) => stack::status(&profile, &args).await,
        Command::Logs(args) => stack::logs(&profile, &args).await,
        Command::Migrate(args) => stack::migrate(&profile, &args).await,
        Command::Run(args) => stack::run(&profile, &args).await,
        Command::Simulate(args) => simulate::run(args, &profile.endpoints()?).await,
        Command::ImportPgn(args) => import::run(args, &profile.endpoints()?).await,
        Command::Verify(args) => verify::run(args, &profile.endpoints()?).await,
        Command::Show(args) => show::run(&args, &profile.endpoints()?).await,
        Command::Demo(args) => demo::run(&profile, &args).await,
        Command::Chaos(args) => chaos::run(&profile, &args).await,
        Command::Bench(command) => bench::run(&profile, &command).await,
        Command::Bruno(args) => bruno::run(&profile, &args).await,
        Command::Test(args) => tests::run(&profile, &args).await,
    }
}

#[expect(clippy::print_stderr, reason = "this is where a person is told")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    if error.is::<chaos::DidNotAttack>() {
        return ExitCode::from(PROVES_NOTHING);
    }
    ExitCode::FAILURE
}
