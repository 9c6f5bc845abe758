//! Every dependency may be used under a licence that `deny.toml` allows.

use cargo_metadata::Package;
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::workspace::{METADATA, root};

#[derive(Deserialize)]
struct DenyFile {
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    package: String,
    #[serde(default)]
    wrappers: Vec<String>,
}

fn deny() -> DenyFile {
    toml::from_str(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap()
}

fn licensees(names: &[String]) -> Vec<Licensee> {
    names
        .iter()
        .map(|name| {
            Licensee::parse(name).unwrap_or_else(|error| panic!("{name} in deny.toml: {error}"))
        })
        .collect()
}

/// Old packages write `MIT/Apache-2.0` for "or".
fn parse(text: &str) -> Result<Expression, String> {
    Expression::parse_mode(text, ParseMode::LAX).map_err(|error| error.to_string())
}

fn satisfied(text: &str, allowed: &[Licensee]) -> Result<bool, String> {
    Ok(parse(text)?
        .evaluate(|required| allowed.iter().any(|licensee| licensee.satisfies(required))))
}

fn judge(package: &Package, deny: &Licences) -> Result<(), String> {
    let Some(text) = &package.license else {
        return Err(format!(
            "{} {} names no licence",
            package.name, package.version
        ));
    };
    let mut names = deny.allow.clone();
    names.extend(
        deny.exceptions
            .iter()
            .filter(|exception| exception.package == *package.name)
            .flat_map(|exception| exception.allow.clone()),
    );
    match satisfied(text, &licensees(&names)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{} {} is under {text}",
            package.name, package.version
        )),
        Err(error) => Err(format!(
            "{} {}: {text}: {error}",
            package.name, package.version
        )),
    }
}

#[test]
fn every_dependency_is_under_an_allowed_licence() {
    let deny = deny();
    let wrong: Vec<String> = METADATA
        .packages
        .iter()
        .filter_map(|package| judge(package, &deny.licenses).err())
        .collect();
    assert!(
        METADATA.packages.len() > 100,
        "cargo metadata tells only {} packages",
        METADATA.packages.len()
    );
    assert!(
        wrong.is_empty(),
        "not allowed by deny.toml:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_allow_list_lets_no_copyleft_in() {
    let allowed = licensees(&deny().licenses.allow);
    for text in [
        "GPL-3.0-or-later",
        "GPL-2.0-only",
        "AGPL-3.0-only",
        "LGPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "SSPL-1.0",
    ] {
        assert_eq!(satisfied(text, &allowed), Ok(false), "{text}");
    }
    assert_eq!(satisfied("MIT OR GPL-3.0-only", &allowed), Ok(true));
}

#[test]
fn what_deny_toml_bans_is_not_there() {
    let deny = deny();
    let banned = deny.bans.deny.iter().filter(|ban| ban.wrappers.is_empty());
    let found: Vec<&str> = banned
        .map(|ban| ban.package.as_str())
        .filter(|name| {
            METADATA
                .packages
                .iter()
                .any(|package| package.name.as_str() == *name)
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn our_own_crates_carry_the_projects_licence() {
    for package in METADATA.workspace_packages() {
        assert_eq!(
            package.license.as_deref(),
            Some("Apache-2.0"),
            "{}",
            package.name
        );
    }
}
