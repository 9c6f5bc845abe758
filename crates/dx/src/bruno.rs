//! `cargo dx bruno`: the requests of `docs/bruno`, every route, its errors and walks through pages, sent to a running API.
//!
//! Bruno's own `bru` sends them where it is installed (`npm install --global @usebruno/cli`). Elsewhere, and with `--native`, the small
//! runner of this module does: it reads the same files and refuses what it does not understand, so that a collection that runs here
//! runs there too.

mod collection;
mod expression;
mod native;

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use self::collection::Collection;
use crate::console::{remark, say};
use crate::stack::{self, Profile};

/// Where the collection lies, from the root of the checkout.
const COLLECTION: &str = "docs/bruno";
/// The collection's word for the API's URL.
const BASE_URL: &str = "baseUrl";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Send the requests by this command itself even where `bru` is installed
    #[arg(long)]
    native: bool,
    /// Only requests whose file's path has this in it, such as `games`
    #[arg(long, value_name = "TEXT", requires = "native")]
    only: Option<String>,
}

/// Sends every request and checks what its file asserts.
///
/// # Errors
/// The API does not answer, or an assertion does not hold.
pub(crate) async fn run(profile: &Profile, args: &Args) -> anyhow::Result<()> {
    let folder = profile.root.join(COLLECTION);
    let api = profile.endpoints()?.api;
    if !args.native && stack::on_path("bru") {
        // Its other sandbox loads beside the first request, and fails what is answered sooner. The collection has no scripts.
        let status = Command::new("bru")
            .args(["run", "-r", "--sandbox=developer", "--env-var"])
            .arg(format!("{BASE_URL}={api}"))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .status()
            .context("cannot start bru")?;
        ensure!(status.success(), "bru tells of failures");
        return Ok(());
    }
    if !args.native {
        remark("bru is not installed; sending the requests natively");
    }
    let collection = Collection::read(&folder)?;
    let outcome = native::run(&collection, &api, args.only.as_deref()).await?;
    for failure in &outcome.failures {
        say(failure);
    }
    ensure!(
        outcome.failures.is_empty(),
        "{} of {} assertions do not hold",
        outcome.failures.len(),
        outcome.assertions
    );
    say(format_args!(
        "{} requests, {} assertions, all hold",
        outcome.requests, outcome.assertions
    ));
    Ok(())
}
