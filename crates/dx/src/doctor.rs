//! `cargo dx doctor`: what this machine has of what the project needs, and how to get the rest.
//!
//! Looks and changes nothing. What cargo itself needs to build this very program is also checked by `scripts/prerequisites`,
//! which runs without it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::console;
use crate::stack::{self, Profile, State, on_path};

/// Room for the build and a stack with some million games.
const DISK_WANTED_GIB: u64 = 10;
const DISK_NEEDED_GIB: u64 = 3;
const OLDEST_JAVA: u32 = 17;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What one look found.
enum Finding {
    Good(String),
    /// It will do, with a drawback.
    Fair(String),
    Missing(String),
}

/// How to get something, by installer.
struct Remedy {
    apt: &'static str,
    dnf: &'static str,
    brew: &'static str,
}

struct Check {
    name: &'static str,
    finding: Finding,
    remedy: Option<Remedy>,
}

/// Looks at everything and tells it.
///
/// # Errors
/// Something that is needed is missing.
pub(crate) fn run(profile: &Profile, _args: &Args) -> anyhow::Result<()> {
    let mut checks = build_tools();
    checks.extend(servers(profile));
    checks.extend(machine(profile)?);
    for check in &checks {
        tell(check);
    }
    let missing = checks
        .iter()
        .filter(|check| matches!(check.finding, Finding::Missing(_)))
        .count();
    if missing > 0 {
        bail!("{missing} of what the project needs is missing");
    }
    console::say("everything that is needed is here");
    Ok(())
}

fn tell(check: &Check) {
    let (word, text) = match &check.finding {
        Finding::Good(text) => ("ok", text),
        Finding::Fair(text) => ("fair", text),
        Finding::Missing(text) => ("MISSING", text),
    };
    console::say(format_args!("  {word:8} {:16} {text}", check.name));
    if let (Some(remedy), Finding::Missing(_) | Finding::Fair(_)) = (&check.remedy, &check.finding)
    {
        for line in remedy.lines() {
            console::say(format_args!("  {:8} {:16} {line}", "", ""));
        }
    }
}

impl Remedy {
    /// The command for this machine's installer, or all of them where none is known.
    fn lines(&self) -> Vec<String> {
        let all = [
            ("apt-get", format!("sudo apt-get install {}", self.apt)),
            ("dnf", format!("sudo dnf install {}", self.dnf)),
            ("brew", format!("brew install {}", self.brew)),
        ];
        match all.iter().find(|(installer, _)| on_path(installer)) {
            Some((_, line)) => vec![line.clone()],
            None => all.into_iter().map(|(_, line)| line).collect(),
        }
    }
}

fn build_tools() -> Vec<Check> {
    let rustup = "https://rustup.rs installs it; rust-toolchain.toml says which";
    vec![
        Check {
            name: "rustc",
            finding: program("rustc", &["--version"], rustup),
            remedy: None,
        },
        Check {
            name: "rustfmt, clippy",
            finding: components(),
            remedy: None,
        },
        Check {
            name: "C compiler",
            finding: program("cc", &["--version"], "librdkafka is C"),
            remedy: Some(Remedy {
                apt: "build-essential",
                dnf: "gcc gcc-c++",
                brew: "gcc",
            }),
        },
        Check {
            name: "make",
            finding: program("make", &["--version"], "builds librdkafka"),
            remedy: Some(Remedy {
                apt: "build-essential",
                dnf: "make",
                brew: "make",
            }),
        },
        Check {
            name: "OpenSSL headers",
            finding: headers("openssl", "openssl/ssl.h", "OPENSSL_DIR"),
            remedy: Some(Remedy {
                apt: "libssl-dev pkg-config",
                dnf: "openssl-devel pkgconf",
                brew: "openssl@3 pkg-config",
            }),
        },
        Check {
            name: "zlib headers",
            finding: headers("zlib", "zlib.h", "ZLIB_ROOT"),
            remedy: Some(Remedy {
                apt: "zlib1g-dev",
                dnf: "zlib-devel",
                brew: "zlib",
            }),
        },
    ]
}

/// A program that runs, with the first line it says.
fn program(name: &str, args: &[&str], why: &str) -> Finding {
    match Command::new(name).args(args).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Finding::Good(
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
        _ => Finding::Missing(why.to_owned()),
    }
}

fn components() -> Finding {
    let here = |name: &str| {
        Command::new("cargo")
            .args([name, "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if here("fmt") && here("clippy") {
        Finding::Good("both".to_owned())
    } else {
        Finding::Fair(
            "only the checks of .ci/run need them: rustup component add rustfmt clippy".to_owned(),
        )
    }
}

fn headers(package: &str, file: &str, variable: &str) -> Finding {
    if let Some(folder) = std::env::var_os(variable) {
        return Finding::Good(format!("{variable} says {}", folder.display()));
    }
    let asked = Command::new("pkg-config")
        .args(["--modversion", package])
        .output();
    if let Ok(output) = asked
        && output.status.success()
    {
        return Finding::Good(format!(
            "{package} {}",
            String::from_utf8_lossy(&output.stdout).trim()
        ));
    }
    let folders = [
        "/usr/include",
        "/usr/local/include",
        "/opt/homebrew/include",
    ];
    match folders
        .iter()
        .find(|folder| Path::new(folder).join(file).is_file())
    {
        Some(folder) => Finding::Good(format!("{file} in {folder}")),
        None => Finding::Missing(format!("no {file}; librdkafka is linked with it")),
    }
}

fn servers(profile: &Profile) -> Vec<Check> {
    let maven = on_path("mvn");
    vec![
        Check {
            name: "Java",
            finding: java(profile),
            remedy: Some(Remedy {
                apt: "openjdk-17-jre-headless",
                dnf: "java-17-openjdk-headless",
                brew: "openjdk@17",
            }),
        },
        Check {
            name: "Maven",
            finding: match (
                maven,
                stack::kafka_is_downloaded(profile),
                profile.servers.kafka.is_some(),
            ) {
                (true, ..) => Finding::Good("mvn".to_owned()),
                (false, true, _) => Finding::Good(
                    "not here, and not needed: Kafka is downloaded already".to_owned(),
                ),
                (false, _, true) => {
                    Finding::Good("not here, and not needed: Kafka is one of your own".to_owned())
                }
                _ => Finding::Missing("downloads Apache Kafka from Maven Central".to_owned()),
            },
            remedy: Some(Remedy {
                apt: "maven",
                dnf: "maven",
                brew: "maven",
            }),
        },
        Check {
            name: "PostgreSQL",
            finding: postgres(profile, maven),
            remedy: Some(Remedy {
                apt: "postgresql",
                dnf: "postgresql-server",
                brew: "postgresql@18",
            }),
        },
        Check {
            name: "S3 server",
            finding: match stack::describe_object_store(profile) {
                Ok(found) => Finding::Good(found),
                Err(error) => Finding::Missing(format!("{error:#}")),
            },
            remedy: Some(Remedy {
                apt: "python3-venv",
                dnf: "golang",
                brew: "go",
            }),
        },
        Check {
            name: "Python",
            finding: match stack::python_version() {
                Some(version) => Finding::Good(format!("Python {version} with venv")),
                None => Finding::Missing(
                    "Python 3 with venv; tests read the archive with DuckDB and pyarrow".to_owned(),
                ),
            },
            remedy: Some(Remedy {
                apt: "python3-venv",
                dnf: "python3",
                brew: "python",
            }),
        },
    ]
}

fn java(profile: &Profile) -> Finding {
    match stack::java_version() {
        _ if profile.servers.kafka.is_some() => {
            Finding::Good("not needed: Kafka is one of your own".to_owned())
        }
        Ok(major) if major >= OLDEST_JAVA => Finding::Good(format!("Java {major}")),
        Ok(major) => Finding::Missing(format!(
            "Java {major} is too old: Apache Kafka 4 needs {OLDEST_JAVA}"
        )),
        Err(error) => Finding::Missing(format!(
            "{error:#}; Apache Kafka runs on Java {OLDEST_JAVA} or newer"
        )),
    }
}

fn postgres(profile: &Profile, maven: bool) -> Finding {
    if profile.servers.postgres.is_some() {
        return Finding::Good("not needed: it is one of your own".to_owned());
    }
    if let Some(found) = stack::describe_postgres() {
        return Finding::Good(found);
    }
    let oldest = stack::oldest_postgres();
    if maven && (on_path("xz") || cfg!(target_os = "macos")) {
        return Finding::Good(format!(
            "none of {oldest} or newer installed; `up` downloads one from Maven Central"
        ));
    }
    Finding::Missing(format!(
        "none of {oldest} or newer installed, and without `mvn` and `xz` none can be downloaded"
    ))
}

fn machine(profile: &Profile) -> anyhow::Result<Vec<Check>> {
    Ok(vec![
        Check {
            name: "free ports",
            finding: ports(profile)?,
            remedy: None,
        },
        Check {
            name: "disk",
            finding: disk(&profile.root),
            remedy: None,
        },
    ])
}

fn ports(profile: &Profile) -> anyhow::Result<Finding> {
    let state = State::load(profile)?;
    if let Some(ports) = &state.ports
        && state.is_up()
    {
        return Ok(Finding::Good(format!(
            "profile {} is up on kafka {}, postgres {}",
            profile.name, ports.kafka, ports.postgres
        )));
    }
    let wanted = state.ports.unwrap_or_else(|| profile.preferred.clone());
    let taken: Vec<String> = wanted
        .named()
        .iter()
        .filter(|(_, port)| !stack::is_free(*port))
        .map(|(name, port)| format!("{port} ({name})"))
        .collect();
    Ok(if taken.is_empty() {
        Finding::Good(wanted.named().map(|(_, port)| port.to_string()).join(", "))
    } else {
        Finding::Fair(format!(
            "taken by something else: {}; `up` takes the next free ones",
            taken.join(", ")
        ))
    })
}

/// Free space of the file system that holds the checkout.
fn disk(root: &Path) -> Finding {
    let output = Command::new("df").args(["-P", "-k"]).arg(root).output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    match parse_df(&text) {
        None => Finding::Fair("`df` does not say how much is free".to_owned()),
        Some(free) if free >= DISK_WANTED_GIB => Finding::Good(format!("{free} GiB free")),
        Some(free) if free >= DISK_NEEDED_GIB => Finding::Fair(format!(
            "{free} GiB free; a build and some games want {DISK_WANTED_GIB}"
        )),
        Some(free) => Finding::Missing(format!(
            "{free} GiB free; the build alone needs {DISK_NEEDED_GIB}"
        )),
    }
}

/// GiB available, from the second line's fourth field.
fn parse_df(text: &str) -> Option<u64> {
    let kib: u64 = text
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kib >> 20)
}

#[cfg(test)]
mod tests {
    use super::parse_df;

    #[test]
    fn free_space_is_read_from_the_portable_output_of_df() {
        let text = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n/dev/vda 263982144 14680064 81788928 16% /\n";
        assert_eq!(parse_df(text), Some(78));
        assert_eq!(parse_df("df: not found"), None);
    }
}
