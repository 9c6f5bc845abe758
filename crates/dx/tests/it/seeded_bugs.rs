//! The seeded bugs still fit the sources. Whether the tests catch them takes builds: `scripts/seeded-bugs.sh` does that.

use std::path::Path;
use std::process::Command;

use crate::workspace;

/// Where the bugs are, as in the script.
const SOURCES: [&str; 2] = ["services/ingestor/src", "crates/domain/src"];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn every_seeded_bug_finds_its_place() {
    let root = workspace::root();
    let bugs = root.join("scripts/seeded-bugs");
    let mut tried = 0;
    for entry in std::fs::read_dir(&bugs).unwrap().map(Result::unwrap) {
        let bug = entry.path();
        if bug.extension().is_none_or(|extension| extension != "bug") {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        for source in SOURCES {
            copy(&root.join(source), &folder.path().join(source));
        }
        let applied = Command::new("perl")
            .arg(bugs.join("apply.pl"))
            .arg(&bug)
            .args(SOURCES)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&applied.stderr);
        assert!(applied.status.success(), "{said}");
        tried += 1;
    }
    assert!(tried >= 12, "only {tried} seeded bugs");
}
