//! The shape of the sources: no file too long to read in one go, each one opening with what it is for.

use std::path::{Path, PathBuf};

use crate::workspace::root;

const MOST_LINES: usize = 600;

/// Every `.rs` file of the project.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["crates", "services"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 30, "only {} sources found", files.len());
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

#[test]
fn no_source_file_is_longer_than_600_lines() {
    let lines = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<String> = sources()
        .iter()
        .filter(|path| lines(path) > MOST_LINES)
        .map(|path| format!("{}: {} lines", shown(path), lines(path)))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_source_file_opens_with_what_it_is_for() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|path| !std::fs::read_to_string(path).unwrap().starts_with("//! "))
        .map(|path| shown(path))
        .collect();
    assert!(
        silent.is_empty(),
        "these do not open with `//!`:\n{}",
        silent.join("\n")
    );
}

#[test]
fn no_placeholder_is_left() {
    let holes: Vec<String> = sources()
        .iter()
        .filter(|path| {
            std::fs::read_to_string(path)
                .unwrap()
                .starts_with("//! Placeholder")
        })
        .map(|path| shown(path))
        .collect();
    assert!(holes.is_empty(), "{}", holes.join("\n"));
}
