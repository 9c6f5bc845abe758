//! Placeholder.
use crate::stack::Endpoints;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args, _endpoints: &Endpoints) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
