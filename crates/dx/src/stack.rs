//! The local stack: Apache Kafka and PostgreSQL of one profile, started, stopped and looked at. Placeholder.

/// Where a profile's parts listen. `--kafka` and `--postgres` of a command, or of the profile, may point elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// Kafka bootstrap servers, `host:port[,host:port…]`.
    pub(crate) kafka: String,
    /// The topic games are published to.
    pub(crate) topic: String,
    /// A `postgres://` URL of the history's database.
    pub(crate) postgres: String,
    /// Base URL of the query API, without a trailing slash.
    pub(crate) api: String,
    /// The profile's folder for files such as the simulator's ledger.
    pub(crate) data_dir: std::path::PathBuf,
}

#[derive(Debug)]
pub(crate) struct Profile {}

impl Profile {
    pub(crate) fn load(_name: &str) -> anyhow::Result<Self> {
        Ok(Self {})
    }
    pub(crate) fn endpoints(&self) -> anyhow::Result<Endpoints> {
        anyhow::bail!("not built yet")
    }
}

macro_rules! placeholder {
    ($($args:ident $name:ident),*) => {$(
        #[derive(Debug, clap::Args)]
        pub(crate) struct $args {}
        pub(crate) async fn $name(_profile: &Profile, _args: &$args) -> anyhow::Result<()> {
            anyhow::bail!("not built yet")
        }
    )*};
}
placeholder!(UpArgs up, DownArgs down, StatusArgs status, LogsArgs logs, MigrateArgs migrate, RunArgs run);
