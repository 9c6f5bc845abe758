//! The servers under attack: ended and started again, their disk filled, their files copied and put back.
//!
//! The history's database lies in a tablespace of its own where the machine lets us mount a file system of limited size for it;
//! elsewhere it lies where it always does and its disk is not attacked. Whoever calls holds the profile's lock.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::process::Command;
use tokio::time::Instant;

use super::plan::End;
use crate::stack::{self, Lock, Profile, Signal, State};

/// How long a server may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(60);
const KAFKA: &str = "kafka";
const POSTGRES: &str = "postgres";
const BALLAST: &str = "ballast";

/// The file system of limited size that the history lies on.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
}

/// The servers of the attacked stack.
pub(super) struct Servers<'a> {
    profile: &'a Profile,
    lock: &'a Lock,
    /// The folder around PostgreSQL's data.
    base: PathBuf,
    disk: Option<Disk>,
}

impl<'a> Servers<'a> {
    /// Starts both, moves the history to its disk, makes topic and schema.
    ///
    /// # Errors
    /// A server does not start, or the schema can't be made.
    pub(super) async fn start(
        profile: &'a Profile,
        lock: &'a Lock,
        disk_mib: u64,
    ) -> anyhow::Result<Self> {
        stack::servers(profile, lock).await?;
        let base = State::load(profile)?
            .postgres_folder()
            .context("PostgreSQL's folder is not known")?
            .to_owned();
        let disk = Disk::mount(&base, disk_mib).await?;
        if let Some(disk) = &disk {
            move_to(disk, &profile.admin_postgres()?).await?;
        }
        stack::history(profile).await?;
        Ok(Self {
            profile,
            lock,
            base,
            disk,
        })
    }

    pub(super) fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Ends the broker and starts it again.
    ///
    /// # Errors
    /// It does not end or does not start.
    pub(super) async fn restart_broker(&self, end: End) -> anyhow::Result<()> {
        let signal = match end {
            End::Orderly => Signal::TERM,
            End::AtOnce => Signal::KILL,
        };
        self.end(KAFKA, signal).await?;
        stack::servers(self.profile, self.lock).await.map(drop)
    }

    /// Ends PostgreSQL and starts it again.
    ///
    /// # Errors
    /// As [`Servers::restart_broker`].
    pub(super) async fn restart_postgres(&self, end: End) -> anyhow::Result<()> {
        let signal = match end {
            End::Orderly => Signal::INT,
            End::AtOnce => Signal::QUIT,
        };
        self.end(POSTGRES, signal).await?;
        stack::servers(self.profile, self.lock).await.map(drop)
    }

    /// Copies the database's files, the server ended meanwhile.
    ///
    /// # Errors
    /// The server does not end or start, or the files can't be copied.
    pub(super) async fn take_copy(&self) -> anyhow::Result<()> {
        self.end(POSTGRES, Signal::INT).await?;
        for (live, copy) in self.places() {
            replace(&live, &copy).await?;
        }
        stack::servers(self.profile, self.lock).await.map(drop)
    }

    /// Replaces the database's files by the copy's, the server ended meanwhile.
    ///
    /// # Errors
    /// As [`Servers::take_copy`].
    pub(super) async fn put_back(&self) -> anyhow::Result<()> {
        self.end(POSTGRES, Signal::QUIT).await?;
        for (live, copy) in self.places() {
            replace(&copy, &live).await?;
        }
        stack::servers(self.profile, self.lock).await.map(drop)
    }

    /// Leaves no room on the history's disk.
    ///
    /// # Errors
    /// There is no such disk, or it can't be filled.
    pub(super) async fn fill_disk(&self) -> anyhow::Result<()> {
        let ballast = self.ballast().context("the history has no disk to fill")?;
        let filled = tokio::task::spawn_blocking(move || fill(&ballast)).await?;
        filled.context("the disk cannot be filled")
    }

    /// Makes room on the history's disk, if it was filled.
    ///
    /// # Errors
    /// The ballast can't be removed.
    pub(super) fn free_disk(&self) -> anyhow::Result<()> {
        match self.ballast().map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("the disk cannot be freed")
            }
            _ => Ok(()),
        }
    }

    fn ballast(&self) -> Option<PathBuf> {
        self.disk.as_ref().map(|disk| disk.folder.join(BALLAST))
    }

    async fn end(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        let state = State::load(self.profile)?;
        let process = state.process(name);
        let process = process.with_context(|| format!("{name} ended by itself"))?;
        process.end(signal, PATIENCE).await?;
        let ports = state.ports.context("the stack's ports are not known")?;
        let ports = match name {
            KAFKA => vec![ports.kafka, ports.kafka_controller],
            _ => vec![ports.postgres],
        };
        await_free(&ports).await
    }

    /// What the database is made of, and where its copies go.
    fn places(&self) -> Vec<(PathBuf, PathBuf)> {
        let copy = self.base.join("copy");
        let mut places = vec![(self.base.join("data"), copy.join("data"))];
        if let Some(disk) = &self.disk {
            places.push((disk.tablespace(), copy.join("tablespace")));
        }
        places
    }
}

impl Disk {
    /// Mounts a disk in `base`, owned by whoever owns the data there. `None` where the machine forbids it.
    async fn mount(base: &Path, mib: u64) -> anyhow::Result<Option<Self>> {
        let folder = base.join("disk");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let owner = std::fs::metadata(base.join("data"))?;
        let options = format!(
            "size={mib}m,mode=700,uid={},gid={}",
            owner.uid(),
            owner.gid()
        );
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        if !mount.status().await.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let disk = Self { folder };
        std::fs::create_dir(disk.tablespace())?;
        std::os::unix::fs::chown(disk.tablespace(), Some(owner.uid()), Some(owner.gid()))?;
        Ok(Some(disk))
    }

    fn tablespace(&self) -> PathBuf {
        self.folder.join("tablespace")
    }
}

/// Waits until the ports of an ended server can be listened on again. A process is seen to be dead a moment before the last of its
/// threads has let go of them, and a server that came back on another port would be lost to its clients.
async fn await_free(ports: &[u16]) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while let Some(taken) = ports.iter().find(|port| !stack::is_free(**port)) {
        ensure!(
            Instant::now() < deadline,
            "port {taken} stays taken after its server has ended"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Whether a run of this profile has a disk mounted, be it one that was killed.
///
/// # Errors
/// The stack's state can't be read.
pub(super) fn is_mounted(profile: &Profile) -> anyhow::Result<bool> {
    let state = State::load(profile)?;
    Ok(state.postgres_folder().is_some_and(has_disk_of_its_own))
}

/// Whether another file system stands at `disk` in PostgreSQL's folder.
fn has_disk_of_its_own(base: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).ok().map(|found| found.dev());
    let own = device(&base.join("disk"));
    own.is_some() && own != device(base)
}

/// Unmounts what a run of this profile, this one or one that was killed, has mounted. PostgreSQL has ended.
///
/// # Errors
/// The disk stays mounted.
pub(super) async fn unmount(profile: &Profile) -> anyhow::Result<()> {
    let Some(base) = State::load(profile)?.postgres_folder().map(Path::to_owned) else {
        return Ok(());
    };
    let folder = base.join("disk");
    while has_disk_of_its_own(&base) {
        let status = Command::new("umount").arg(&folder).status().await;
        ensure!(
            status.is_ok_and(|status| status.success()),
            "{} stays mounted; `umount` it and run `{}`",
            folder.display(),
            profile.command("down --wipe")
        );
    }
    for rest in ["disk", "copy"] {
        match std::fs::remove_dir_all(base.join(rest)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

async fn move_to(disk: &Disk, admin: &str) -> anyhow::Result<()> {
    let client = stack::connect(admin).await?;
    let place = disk.tablespace();
    let place = place
        .to_str()
        .filter(|place| !place.contains('\''))
        .context("the disk's path cannot be told to PostgreSQL")?;
    client
        .batch_execute(&format!("CREATE TABLESPACE small LOCATION '{place}'"))
        .await?;
    client
        .batch_execute("ALTER DATABASE game_history SET TABLESPACE small")
        .await
        .context("the history cannot be moved to its disk")
}

/// Makes `to` a copy of `from`: owners, modes and links included.
async fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        tokio::fs::remove_dir_all(to).await?;
    }
    if let Some(parent) = to.parent() {
        tokio::fs::create_dir_all(parent).await?;
    }
    let status = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .await;
    if !status.is_ok_and(|status| status.success()) {
        bail!("{} cannot be copied to {}", from.display(), to.display());
    }
    Ok(())
}

/// Writes until there is no room.
fn fill(ballast: &Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast)?;
    for size in [1 << 20, 4 << 10] {
        let block = vec![0; size];
        loop {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
