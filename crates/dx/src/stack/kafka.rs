//! Apache Kafka of a stack: one node in `KRaft` mode, broker and controller in one, listening on the loopback address only.
//!
//! Its folder is formatted once; a marker written after that tells a whole folder from one whose making was cut short.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;

use super::log;
use super::maven::Download;
use super::ports::Ports;
use super::process::{self, Process, mark};
use super::profile::Profile;
use super::state::Part;
use super::sweep::java_property;
use super::topic;
use crate::console::Step;

pub(super) const NAME: &str = "kafka";
const DOWNLOAD: Download<'static> = Download {
    pom: "kafka",
    goal: "copy-dependencies",
    properties: &[],
};
/// How long a broker may take to answer. It takes 3 s where nothing else runs.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// Whether the broker's jars are in the cache already.
pub(crate) fn is_downloaded(profile: &Profile) -> bool {
    DOWNLOAD.place(profile).is_ok_and(|place| place.is_dir())
}

/// The jars, downloaded if they are not there yet.
///
/// # Errors
/// As [`Download::get`].
pub(super) async fn jars(profile: &Profile, step: &Step) -> anyhow::Result<PathBuf> {
    if !is_downloaded(profile) {
        step.doing("downloading Apache Kafka from Maven Central (45 MB)");
    }
    DOWNLOAD.get(profile).await
}

/// Starts the broker; it answers some seconds later, see [`ready`].
///
/// # Errors
/// The folder cannot be formatted or Java cannot be started.
pub(super) async fn start(
    profile: &Profile,
    jars: &Path,
    ports: &Ports,
    step: &Step,
) -> anyhow::Result<Part> {
    let settings = write_settings(profile, ports)?;
    format(profile, jars, &settings, step).await?;
    step.doing("starting");
    let mut command = process::detached(java());
    let log4j = profile.root.join("deploy/kafka/log4j2.properties");
    command
        .args(["-Xms128m", "-Xmx512m"])
        .arg(java_property(&profile.dir))
        .arg(format!("-Dlog4j2.configurationFile={}", log4j.display()))
        .arg("-cp")
        .arg(jars.join("*"))
        .arg("kafka.Kafka")
        .arg(&settings)
        .current_dir(folder(profile));
    let process = process::start(command, &profile.dir, &log_file(profile))?;
    Ok(Part::new(process, ports.kafka))
}

/// Waits until the broker answers.
///
/// # Errors
/// The process ends, or the time is over; with the end of its log.
pub(super) async fn ready(profile: &Profile, part: &Process, brokers: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        let Err(error) = topic::answers(brokers).await else {
            return Ok(());
        };
        if !part.is_alive() {
            bail!(
                "Kafka ended while it started; {}",
                log::excerpt(&log_file(profile))
            );
        }
        if Instant::now() > deadline {
            bail!(
                "Kafka does not answer on {brokers} ({error}); {}",
                log::excerpt(&log_file(profile))
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Major version of the Java that would run the broker.
///
/// # Errors
/// There is none, or it says no version.
pub(crate) fn java_version() -> anyhow::Result<u32> {
    let output = Command::new(java())
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .context("no java")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    parse_java_version(&text).with_context(|| {
        format!(
            "`java -version` says: {}",
            text.lines().next().unwrap_or("nothing")
        )
    })
}

/// `openjdk version "17.0.15" …` is 17; `java version "1.8.0_392"` is 8.
fn parse_java_version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

fn java() -> PathBuf {
    std::env::var_os("JAVA_HOME")
        .map(|home| Path::new(&home).join("bin/java"))
        .filter(|java| java.is_file())
        .unwrap_or_else(|| PathBuf::from("java"))
}

fn folder(profile: &Profile) -> PathBuf {
    profile.dir.join(NAME)
}

fn log_file(profile: &Profile) -> PathBuf {
    profile.logs_dir().join("kafka.log")
}

fn write_settings(profile: &Profile, ports: &Ports) -> anyhow::Result<PathBuf> {
    let folder = folder(profile);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("server.properties");
    std::fs::write(&path, settings(&folder.join("data"), ports))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn settings(data: &Path, ports: &Ports) -> String {
    let Ports {
        kafka,
        kafka_controller,
        ..
    } = ports;
    format!(
        "# Written by `cargo dx up` at every start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{kafka_controller}
listeners=PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{kafka_controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{kafka}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
# A misspelt topic is an error, not a new topic.
auto.create.topics.enable=false
# One node holds everything.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The log is the truth that everything here is rebuilt from: the local stack keeps it until it is wiped.
log.retention.ms=-1
# A group of one developer need not wait for others to join.
group.initial.rebalance.delay.ms=0
",
        data = data.display()
    )
}

/// As Kafka makes its own: one that begins with a dash would be taken for an option.
fn cluster_id() -> String {
    loop {
        let id = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

async fn format(
    profile: &Profile,
    jars: &Path,
    settings: &Path,
    step: &Step,
) -> anyhow::Result<()> {
    let folder = folder(profile);
    let (data, marker) = (folder.join("data"), folder.join("formatted"));
    if marker.exists() {
        return Ok(());
    }
    step.doing("formatting its folder");
    if data.exists() {
        std::fs::remove_dir_all(&data)
            .with_context(|| format!("cannot remove {}", data.display()))?;
    }
    let cluster = cluster_id();
    let mut command = Command::new(java());
    command
        .arg(java_property(&profile.dir))
        .arg("-cp")
        .arg(jars.join("*"));
    command
        .args([
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            &cluster,
            "--config",
        ])
        .arg(settings);
    mark(&mut command, &profile.dir).stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("cannot start java; `cargo dx doctor` says how to get it")?;
    if !output.status.success() {
        bail!(
            "Kafka's folder cannot be formatted: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    std::fs::write(&marker, cluster).with_context(|| format!("cannot write {}", marker.display()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Ports, parse_java_version, settings};

    #[test]
    fn the_major_version_of_java_is_read_in_both_of_its_spellings() {
        assert_eq!(
            parse_java_version("openjdk version \"17.0.15\" 2025-04-15\n"),
            Some(17)
        );
        assert_eq!(
            parse_java_version("openjdk version \"25\" 2025-09-16"),
            Some(25)
        );
        assert_eq!(parse_java_version("java version \"1.8.0_392\""), Some(8));
        assert_eq!(parse_java_version("command not found"), None);
    }

    #[test]
    fn every_listener_is_on_the_loopback_address() {
        let settings = settings(Path::new("/data"), &Ports::derived("trial"));
        let listeners = settings.lines().filter(|line| line.contains("listeners="));
        for listener in listeners.flat_map(|line| line.split(',')) {
            assert!(listener.contains("://127.0.0.1:"), "{listener}");
        }
    }
}
