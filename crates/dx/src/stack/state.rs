//! What a profile's stack is made of right now: `state.json` in its folder, and the lock of whoever changes it.
//!
//! The file is replaced whole by a rename, so a reader without the lock sees the old or the new one. A process is noted down right
//! after it was started; between the two stands `sweep`, which finds processes by their mark.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ports::Ports;
use super::process::{Process, Signal};
use super::profile::Profile;
use crate::console;

/// Ports, folders and processes of a stack.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// What `up` picked; kept while the data is, so that addresses stay.
    pub(crate) ports: Option<Ports>,
    /// Where PostgreSQL's data is, when it could not stay in the profile's folder.
    pub(super) postgres_base: Option<PathBuf>,
    /// By name: `kafka`, `postgres`, `ingestor-1`, …
    pub(super) parts: BTreeMap<String, Part>,
}

/// One process of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    #[serde(flatten)]
    pub(super) process: Process,
    pub(super) port: u16,
    pub(super) started_at: DateTime<Utc>,
}

impl Part {
    /// Notes a process that was started just now.
    pub(super) fn new(process: Process, port: u16) -> Self {
        Self {
            process,
            port,
            started_at: Utc::now(),
        }
    }
}

impl State {
    /// The profile's state; empty where there is none.
    ///
    /// # Errors
    /// The file cannot be read or is not a state.
    pub(crate) fn load(profile: &Profile) -> anyhow::Result<Self> {
        let path = path(profile);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is not a stack's state", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the state. The caller holds the profile's [`Lock`].
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn save(&self, profile: &Profile) -> anyhow::Result<()> {
        let path = path(profile);
        let draft = path.with_extension("json.new");
        let write = || -> std::io::Result<()> {
            std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
            std::fs::rename(&draft, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Notes a process that was started just now, so that `down` ends it.
    ///
    /// # Errors
    /// As [`State::save`].
    pub(crate) fn note(
        &mut self,
        profile: &Profile,
        name: &str,
        process: Process,
        port: u16,
    ) -> anyhow::Result<()> {
        self.parts.insert(name.to_owned(), Part::new(process, port));
        self.save(profile)
    }

    /// The folder around PostgreSQL's data, once it was started.
    pub(crate) fn postgres_folder(&self) -> Option<&Path> {
        self.postgres_base.as_deref()
    }

    /// The living process of this name.
    pub(crate) fn process(&self, name: &str) -> Option<Process> {
        self.running(name).map(|part| part.process.clone())
    }

    /// Where the living part of this name listens.
    pub(crate) fn port(&self, name: &str) -> Option<u16> {
        self.running(name).map(|part| part.port)
    }

    /// Kills everything but the servers, stopped processes included.
    pub(crate) fn kill_services(&self) {
        let servers = super::SERVERS;
        let services = self
            .parts
            .iter()
            .filter(|(name, _)| !servers.contains(&name.as_str()));
        for (_, part) in services {
            part.process.signal(Signal::KILL);
        }
    }

    /// Whether anything of the stack runs.
    pub(crate) fn is_up(&self) -> bool {
        self.parts.values().any(|part| part.process.is_alive())
    }

    /// The part of this name, if its process lives.
    pub(super) fn running(&self, name: &str) -> Option<&Part> {
        self.parts.get(name).filter(|part| part.process.is_alive())
    }
}

pub(super) fn path(profile: &Profile) -> PathBuf {
    profile.dir.join("state.json")
}

/// The right to change a stack. The kernel takes it back when its holder dies, however it dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Waits for the right to change the profile's stack, and says for whom it waits.
    ///
    /// # Errors
    /// The profile's folder cannot be made.
    pub(crate) async fn take(profile: &Profile) -> anyhow::Result<Self> {
        Self::take_named(profile, "lock").await
    }

    /// Another right of the same profile, such as to use its stack for a whole test run.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub(crate) async fn take_named(profile: &Profile, name: &str) -> anyhow::Result<Self> {
        let path = profile.dir.join(name);
        std::fs::create_dir_all(&profile.dir)
            .with_context(|| format!("cannot create {}", profile.dir.display()))?;
        let profile = profile.name.clone();
        let lock = tokio::task::spawn_blocking(move || -> std::io::Result<File> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    file.read_to_string(&mut holder)?;
                    console::remark(format_args!(
                        "waiting for another cargo dx on profile `{profile}` (pid {})",
                        holder.trim()
                    ));
                    file.lock()?;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())?;
            Ok(file)
        });
        Ok(Self(
            lock.await?.context("cannot lock the profile's folder")?,
        ))
    }
}
