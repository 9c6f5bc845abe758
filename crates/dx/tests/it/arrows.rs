//! Dependencies between our crates point one way, and each heavy library lives behind one wall.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

use crate::workspace::METADATA;

/// Which of our crates each may use. docs/ARCHITECTURE.md draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("archive", &["events"]),
    ("chess", &[]),
    ("domain", &[]),
    ("telemetry", &[]),
    ("events", &["domain"]),
    ("service", &["telemetry"]),
    ("store", &["domain", "telemetry"]),
    ("stream", &["telemetry"]),
    ("publisher", &["domain", "events"]),
    ("test-support", &["store"]),
    (
        "archiver",
        &[
            "archive",
            "domain",
            "events",
            "publisher",
            "service",
            "store",
            "stream",
            "telemetry",
        ],
    ),
    (
        "ingestor",
        &[
            "domain",
            "events",
            "publisher",
            "service",
            "store",
            "stream",
            "telemetry",
        ],
    ),
    (
        "query-api",
        &[
            "archive",
            "chess",
            "domain",
            "service",
            "store",
            "telemetry",
        ],
    ),
    (
        "dx",
        &[
            "archive",
            "chess",
            "domain",
            "events",
            "publisher",
            "store",
            // For the proxy that `chaos` breaks the object store with.
            "test-support",
        ],
    ),
];

/// What only tests may use besides.
const TEST_ARROWS: &[(&str, &[&str])] = &[
    ("archive", &["test-support"]),
    ("store", &["test-support"]),
    ("stream", &["test-support"]),
    ("publisher", &["test-support"]),
    ("archiver", &["test-support"]),
    ("ingestor", &["test-support"]),
    ("query-api", &["test-support"]),
];

/// Libraries that only these of our crates may name. Whoever else wants one asks the crate behind the wall.
const WALLS: &[(&str, &[&str])] = &[
    ("rdkafka", &["dx", "publisher", "stream", "test-support"]),
    ("rdkafka-sys", &["stream"]),
    ("diesel", &["store"]),
    ("diesel-async", &["store"]),
    ("actix-web", &["query-api", "service"]),
    ("arrow", &["archive"]),
    ("parquet", &["archive"]),
    ("object_store", &["archive", "dx", "test-support"]),
    ("owlchess", &["chess"]),
];

fn ours(metadata: &Metadata) -> BTreeMap<&str, &Package> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.as_str(), package))
        .collect()
}

fn allowed<'a>(table: &[(&'a str, &'a [&'a str])], name: &str) -> BTreeSet<&'a str> {
    table
        .iter()
        .filter(|(from, _)| *from == name)
        .flat_map(|(_, to)| to.iter().copied())
        .collect()
}

fn named<'a>(package: &'a Package, kinds: &[DependencyKind]) -> BTreeSet<&'a str> {
    package
        .dependencies
        .iter()
        .filter(|found| kinds.contains(&found.kind))
        .map(|found| found.name.as_str())
        .collect()
}

#[test]
fn every_crate_stands_in_the_table_and_the_table_names_no_other() {
    let in_table: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let in_workspace: BTreeSet<&str> = ours(&METADATA).into_keys().collect();
    assert_eq!(in_table, in_workspace);
}

#[test]
fn our_crates_use_only_those_below_them() {
    let ours = ours(&METADATA);
    let mut wrong = Vec::new();
    for (name, package) in &ours {
        let usual = named(package, &[DependencyKind::Normal, DependencyKind::Build]);
        let for_tests = named(package, &[DependencyKind::Development]);
        let may = allowed(ARROWS, name);
        let may_in_tests: BTreeSet<&str> =
            may.union(&allowed(TEST_ARROWS, name)).copied().collect();
        wrong.extend(
            usual
                .iter()
                .filter(|to| ours.contains_key(*to) && !may.contains(*to))
                .map(|to| format!("{name} -> {to}")),
        );
        wrong.extend(
            for_tests
                .iter()
                .filter(|to| ours.contains_key(*to) && !may_in_tests.contains(*to))
                .map(|to| format!("tests of {name} -> {to}")),
        );
    }
    assert!(
        wrong.is_empty(),
        "arrows that DESIGN does not have: {wrong:?}"
    );
}

#[test]
fn heavy_libraries_stay_behind_their_walls() {
    let mut wrong = Vec::new();
    for (name, package) in ours(&METADATA) {
        let usual = named(package, &[DependencyKind::Normal, DependencyKind::Build]);
        for (library, inside) in WALLS {
            if usual.contains(library) && !inside.contains(&name) {
                wrong.push(format!("{name} -> {library}"));
            }
        }
    }
    assert!(wrong.is_empty(), "past the wall: {wrong:?}");
}

#[test]
fn the_query_api_does_not_link_kafka() {
    assert!(
        links("ingestor", "rdkafka-sys"),
        "the test itself is blind: the ingestor does link Kafka"
    );
    assert!(!links("query-api", "rdkafka-sys"));
}

#[test]
fn the_ingestor_does_not_link_the_query_api_nor_the_other_way_round() {
    assert!(!links("ingestor", "query-api"));
    assert!(!links("query-api", "ingestor"));
}

/// Whether a binary of `from` links `to`, through whatever lies between.
fn links(from: &str, to: &str) -> bool {
    let resolve = METADATA.resolve.as_ref().unwrap();
    let nodes: BTreeMap<&PackageId, _> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![&ours(&METADATA)[from].id];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let normal = nodes[id].deps.iter().filter(|dep| {
            dep.dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
        });
        open.extend(normal.map(|dep| &dep.pkg));
    }
    seen.into_iter().any(|id| METADATA[id].name.as_str() == to)
}
