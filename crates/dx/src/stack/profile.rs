//! A profile: the name of a stack and what it should look like. Read from `deploy/profiles/<name>.toml` where there is one;
//! any other name works too, with ports derived from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::build::checkout;
use super::object_store;
use super::ports::Ports;
use super::process::{self, Process, mark};
use super::state::State;

/// Servers to use instead of started ones.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Servers {
    /// Use this Kafka (host:port[,host:port…]) instead of starting one
    #[arg(long, global = true, env = "DX_KAFKA", value_name = "BROKERS")]
    pub(crate) kafka: Option<String>,
    /// Use this PostgreSQL (postgres://…) instead of starting one; with a password, set the variable rather than the flag
    #[arg(
        long,
        global = true,
        env = "DX_POSTGRES",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) postgres: Option<String>,
    /// Use this topic instead of the profile's
    #[arg(long, global = true, env = "DX_TOPIC", value_name = "NAME")]
    pub(crate) topic: Option<String>,
    /// Ask this query API (http://host:port) instead of the profile's
    #[arg(long, global = true, env = "DX_API", value_name = "URL")]
    pub(crate) api: Option<String>,
    /// Archive here (`file:///folder` or `s3://bucket/prefix`, with AWS_… from the environment) instead of the profile's place
    #[arg(long, global = true, env = "DX_ARCHIVE", value_name = "URL")]
    pub(crate) archive: Option<String>,
}

/// Where the archive lies, and what the environment of whoever opens it must say.
#[derive(Debug, Clone, Default)]
pub(crate) struct ArchivePlace {
    /// `file://…` or `s3://…`.
    pub(crate) url: String,
    /// The stack's own S3 server; `None` for a directory or a store of the user's own.
    pub(crate) s3: Option<S3>,
}

/// An S3 server and the credentials it takes. They guard nothing: it listens on the loopback address only.
#[derive(Debug, Clone)]
pub(crate) struct S3 {
    pub(crate) endpoint: String,
    pub(crate) region: &'static str,
    pub(crate) access_key: &'static str,
    pub(crate) secret_key: &'static str,
}

/// Where a profile's parts listen. `--kafka` and `--postgres`, or the profile's file, may point elsewhere.
#[derive(Clone)]
pub(crate) struct Endpoints {
    /// Kafka bootstrap servers, `host:port[,host:port…]`.
    pub(crate) kafka: String,
    /// The topic games are published to.
    pub(crate) topic: String,
    /// A `postgres://` URL of the history's database. May hold a password: not for logs.
    pub(crate) postgres: String,
    /// Base URL of the query API, without a trailing slash.
    pub(crate) api: String,
    /// Where the archive lies.
    pub(crate) archive: ArchivePlace,
    /// The profile's folder for files such as the simulator's ledger. It exists.
    pub(crate) data_dir: PathBuf,
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints")
            .field("kafka", &self.kafka)
            .field("topic", &self.topic)
            .field("api", &self.api)
            .field("archive", &self.archive.url)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl S3 {
    /// Everything in one URL, as the tests get it: `http://access:secret@host:port`.
    pub(crate) fn url_with_keys(&self) -> String {
        let (scheme, host) = self
            .endpoint
            .split_once("://")
            .unwrap_or(("http", &self.endpoint));
        format!("{scheme}://{}:{}@{host}", self.access_key, self.secret_key)
    }
}

/// What a stack should look like.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) name: String,
    /// Root of the checkout.
    pub(crate) root: PathBuf,
    /// Folder of everything the stack keeps.
    pub(super) dir: PathBuf,
    pub(super) topic: String,
    pub(super) partitions: i32,
    /// Whether PostgreSQL's data must survive a power cut.
    pub(super) durable: bool,
    /// `maven`, a folder, or unset for the newest installed one.
    pub(super) postgres_bin: Option<String>,
    pub(super) object_store: ObjectStore,
    pub(crate) servers: Servers,
    /// The ports to try first.
    pub(crate) preferred: Ports,
}

/// What a stack archives into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ObjectStore {
    /// The profile's folder `archive`.
    #[default]
    Directory,
    /// A bucket of an S3 server that `up` starts.
    S3,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProfileFile {
    topic: String,
    partitions: i32,
    data_dir: Option<PathBuf>,
    durable: bool,
    postgres_bin: Option<String>,
    kafka: Option<String>,
    postgres: Option<String>,
    object_store: ObjectStore,
    archive: Option<String>,
    ports: PortsTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortsTable {
    kafka: Option<u16>,
    kafka_controller: Option<u16>,
    postgres: Option<u16>,
    query_api: Option<u16>,
    ingestor: Option<u16>,
    archiver: Option<u16>,
    object_store: Option<u16>,
}

impl Default for ProfileFile {
    fn default() -> Self {
        Self {
            topic: "game-events".to_owned(),
            partitions: 8,
            data_dir: None,
            durable: true,
            postgres_bin: None,
            kafka: None,
            postgres: None,
            object_store: ObjectStore::default(),
            archive: None,
            ports: PortsTable::default(),
        }
    }
}

impl Profile {
    /// Reads the profile of this name; `servers` from the command line win over its file.
    ///
    /// # Errors
    /// A name that cannot name a folder, a file that is not a profile, or no checkout around.
    pub(crate) fn load(name: &str, servers: &Servers) -> anyhow::Result<Self> {
        check_name(name)?;
        let root = checkout()?;
        let path = root.join("deploy/profiles").join(format!("{name}.toml"));
        let file = if path.exists() {
            read(&path)?
        } else {
            ProfileFile::default()
        };
        Self::new(name, root, file, servers)
    }

    fn new(
        name: &str,
        root: PathBuf,
        file: ProfileFile,
        servers: &Servers,
    ) -> anyhow::Result<Self> {
        ensure!(
            (1..=1_000).contains(&file.partitions),
            "profile `{name}`: partitions = {} is not from 1 to 1000",
            file.partitions
        );
        let derived = Ports::derived(name);
        Ok(Self {
            name: name.to_owned(),
            dir: root.join(
                file.data_dir
                    .unwrap_or_else(|| Path::new(".game-history").join(name)),
            ),
            root,
            topic: servers.topic.clone().unwrap_or(file.topic),
            partitions: file.partitions,
            durable: file.durable,
            postgres_bin: file.postgres_bin,
            object_store: file.object_store,
            servers: Servers {
                kafka: servers.kafka.clone().or(file.kafka),
                postgres: servers.postgres.clone().or(file.postgres),
                topic: servers.topic.clone(),
                api: servers.api.clone(),
                archive: servers.archive.clone().or(file.archive),
            },
            preferred: Ports {
                kafka: file.ports.kafka.unwrap_or(derived.kafka),
                kafka_controller: file
                    .ports
                    .kafka_controller
                    .unwrap_or(derived.kafka_controller),
                postgres: file.ports.postgres.unwrap_or(derived.postgres),
                query_api: file.ports.query_api.unwrap_or(derived.query_api),
                ingestor: file.ports.ingestor.unwrap_or(derived.ingestor),
                archiver: file.ports.archiver.unwrap_or(derived.archiver),
                object_store: file.ports.object_store.unwrap_or(derived.object_store),
            },
        })
    }

    /// Where the parts listen now, by the ports that `up` picked.
    ///
    /// # Errors
    /// The stack was never brought up and no servers of one's own are named.
    pub(crate) fn endpoints(&self) -> anyhow::Result<Endpoints> {
        let state = State::load(self)?;
        let ports = match state.ports {
            Some(ports) => ports,
            None if self.servers.kafka.is_some() && self.servers.postgres.is_some() => {
                self.preferred.clone()
            }
            None => bail!(
                "the stack of profile `{0}` is not up: `{1}` starts it",
                self.name,
                self.command("up")
            ),
        };
        let data_dir = self.files_dir();
        std::fs::create_dir_all(&data_dir)
            .with_context(|| format!("cannot create {}", data_dir.display()))?;
        Ok(self.endpoints_on(&ports))
    }

    pub(super) fn endpoints_on(&self, ports: &Ports) -> Endpoints {
        Endpoints {
            kafka: self
                .servers
                .kafka
                .clone()
                .unwrap_or_else(|| format!("127.0.0.1:{}", ports.kafka)),
            topic: self.topic.clone(),
            postgres: self.servers.postgres.clone().unwrap_or_else(|| {
                format!(
                    "postgres://game_history@127.0.0.1:{}/game_history",
                    ports.postgres
                )
            }),
            api: self
                .servers
                .api
                .clone()
                .unwrap_or_else(|| format!("http://127.0.0.1:{}", ports.query_api)),
            archive: self.archive_on(ports),
            data_dir: self.files_dir(),
        }
    }

    /// This profile with an S3 server of its own, whatever its file and the command line say of the archive.
    #[must_use]
    pub(crate) fn with_s3(&self) -> Self {
        let mut profile = self.clone();
        profile.object_store = ObjectStore::S3;
        profile.servers.archive = None;
        profile
    }

    /// Whether `up` starts an S3 server.
    pub(super) fn runs_object_store(&self) -> bool {
        self.object_store == ObjectStore::S3 && self.servers.archive.is_none()
    }

    fn archive_on(&self, ports: &Ports) -> ArchivePlace {
        if let Some(url) = &self.servers.archive {
            return ArchivePlace {
                url: url.clone(),
                s3: None,
            };
        }
        match self.object_store {
            ObjectStore::Directory => ArchivePlace {
                url: format!("file://{}", self.archive_dir().display()),
                s3: None,
            },
            ObjectStore::S3 => ArchivePlace {
                url: format!("s3://{}", object_store::BUCKET),
                s3: Some(S3 {
                    endpoint: object_store::endpoint(ports.object_store),
                    region: object_store::REGION,
                    access_key: object_store::ACCESS_KEY,
                    secret_key: object_store::SECRET_KEY,
                }),
            },
        }
    }

    /// A PostgreSQL URL that may create databases.
    ///
    /// # Errors
    /// As [`Profile::endpoints`].
    pub(crate) fn admin_postgres(&self) -> anyhow::Result<String> {
        let url = self.endpoints()?.postgres;
        Ok(match self.servers.postgres {
            Some(_) => url,
            None => url
                .strip_suffix("game_history")
                .map(|server| format!("{server}postgres"))
                .unwrap_or(url),
        })
    }

    /// Makes a command part of this profile's stack, so that `down` finds what becomes of it.
    pub(crate) fn mark(&self, command: &mut Command) {
        mark(command, &self.dir);
    }

    /// Starts a detached command as part of this profile's stack, its output going to `log`, which is begun anew.
    ///
    /// # Errors
    /// The log cannot be written or the program cannot be started.
    pub(crate) fn start(&self, command: Command, log: &Path) -> anyhow::Result<Process> {
        process::start(command, &self.dir, log)
    }

    /// The command line of a `cargo dx` subcommand for this profile, for remedies in messages.
    pub(crate) fn command(&self, subcommand: &str) -> String {
        if self.name == "local" {
            format!("cargo dx {subcommand}")
        } else {
            format!("cargo dx --profile {} {subcommand}", self.name)
        }
    }

    pub(super) fn files_dir(&self) -> PathBuf {
        self.dir.join("files")
    }

    pub(crate) fn logs_dir(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Where the archive lies unless it is in an object store.
    pub(super) fn archive_dir(&self) -> PathBuf {
        self.dir.join("archive")
    }

    /// Downloads that all profiles share.
    pub(super) fn cache_dir(&self) -> PathBuf {
        self.root.join(".game-history/cache")
    }
}

/// A profile's name becomes a folder and part of a process title: short, lower case, nothing to quote.
fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    ensure!(
        plain && !name.starts_with('-') && (1..=32).contains(&name.len()),
        "`{name}` is no profile name: 1 to 32 of a–z, 0–9 and -, not starting with -"
    );
    ensure!(
        name != "cache",
        "`cache` is the folder of downloads; call the profile something else"
    );
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<ProfileFile> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a profile", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Profile, ProfileFile, Servers, check_name};

    fn profile(toml: &str, servers: &Servers) -> Profile {
        let file: ProfileFile = toml::from_str(toml).unwrap();
        Profile::new("trial", PathBuf::from("/checkout"), file, servers).unwrap()
    }

    #[test]
    fn every_key_may_be_left_out() {
        let profile = profile("", &Servers::default());
        assert_eq!(
            (profile.partitions, profile.topic.as_str(), profile.durable),
            (8, "game-events", true)
        );
        assert_eq!(profile.dir, PathBuf::from("/checkout/.game-history/trial"));
    }

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        let error = toml::from_str::<ProfileFile>("partitoins = 4").unwrap_err();
        assert!(error.to_string().contains("partitoins"), "{error}");
    }

    #[test]
    fn one_port_of_the_file_leaves_the_others_derived() {
        let profile = profile("[ports]\nquery_api = 8080", &Servers::default());
        assert_eq!(profile.preferred.query_api, 8080);
        assert_eq!(
            profile.preferred.kafka,
            super::Ports::derived("trial").kafka
        );
    }

    #[test]
    fn servers_of_the_command_line_win_over_the_file() {
        let servers = Servers {
            kafka: Some("flag:9092".to_owned()),
            ..Servers::default()
        };
        let profile = profile(
            "kafka = 'file:9092'\npostgres = 'postgres://file/db'",
            &servers,
        );
        let endpoints = profile.endpoints_on(&profile.preferred);
        assert_eq!(
            (endpoints.kafka.as_str(), endpoints.postgres.as_str()),
            ("flag:9092", "postgres://file/db")
        );
    }

    #[test]
    fn the_archive_is_a_directory_unless_the_profile_or_the_command_line_says_otherwise() {
        let place = |toml, archive: Option<&str>| {
            let servers = Servers {
                archive: archive.map(str::to_owned),
                ..Servers::default()
            };
            let profile = profile(toml, &servers);
            profile.endpoints_on(&profile.preferred).archive
        };
        assert_eq!(
            place("", None).url,
            "file:///checkout/.game-history/trial/archive"
        );
        let bucket = place("object_store = 's3'", None);
        assert!(bucket.url.starts_with("s3://") && bucket.s3.is_some());
        let own = place("object_store = 's3'", Some("s3://mine/there"));
        assert!(own.url == "s3://mine/there" && own.s3.is_none());
    }

    #[test]
    fn a_password_never_shows_in_debug_output() {
        let servers = Servers {
            postgres: Some("postgres://u:hunter2@db/x".to_owned()),
            ..Servers::default()
        };
        let profile = profile("", &servers);
        assert!(!format!("{:?}", profile.endpoints_on(&profile.preferred)).contains("hunter2"));
    }

    #[test]
    fn a_name_that_would_leave_its_folder_is_refused() {
        for name in ["", "..", "a/b", "Cap", "-x", "cache", &"x".repeat(33)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        check_name("mine-2").unwrap();
    }
}
