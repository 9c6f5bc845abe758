//! Finds processes of a stack that no state file knows: those of a `cargo dx` killed between starting one and noting it down.
//!
//! They are told by the profile's folder, which stands in their environment, in a Java property or as PostgreSQL's data folder.
//! Only Linux lets one look; elsewhere the state file is all there is. Never reports itself or its own ancestors.

use std::path::{Path, PathBuf};

use super::process::{MARK, Process};

/// The Java property that marks Kafka's processes in their command line, which every user may read.
pub(super) fn java_property(folder: &Path) -> String {
    format!("-Dgame_history.stack={}", folder.display())
}

/// Living processes that belong to the stack in `folder`, whose PostgreSQL data may be in `postgres_data`; without the `known`
/// ones and their descendants.
pub(super) fn find(folder: &Path, postgres_data: &[PathBuf], known: &[u32]) -> Vec<Process> {
    let mut signs: Vec<Vec<u8>> = vec![java_property(folder).into_bytes()];
    signs.extend(
        postgres_data
            .iter()
            .map(|data| data.display().to_string().into_bytes()),
    );
    let variable = format!("{MARK}={}", folder.display()).into_bytes();
    let own = lineage(std::process::id());

    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| !own.contains(pid))
        .filter(|pid| {
            has_field(*pid, "environ", |field| field == variable)
                || has_field(*pid, "cmdline", |field| {
                    signs.iter().any(|sign| sign == field)
                })
        })
        .filter(|pid| {
            !lineage(*pid)
                .iter()
                .any(|ancestor| known.contains(ancestor))
        })
        .filter_map(Process::of)
        .collect()
}

fn has_field(pid: u32, file: &str, wanted: impl Fn(&[u8]) -> bool) -> bool {
    // Another user's environment may not be read; then its command line has to do.
    std::fs::read(format!("/proc/{pid}/{file}"))
        .is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(wanted))
}

/// A process and those it descends from, itself first.
fn lineage(pid: u32) -> Vec<u32> {
    let mut line = Vec::new();
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|pid| *pid > 0 && !line.contains(pid)) {
        line.push(pid);
        next = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .and_then(|stat| {
                stat.rsplit_once(')')?
                    .1
                    .split_whitespace()
                    .nth(1)?
                    .parse()
                    .ok()
            });
    }
    line
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::super::process::{Signal, mark};
    use super::find;

    #[test]
    fn a_marked_process_is_found_by_its_own_stack_only() {
        let folder = Path::new("/nowhere/.game-history/sweep-of-environment");
        let mut child = mark(Command::new("sleep").arg("60"), folder)
            .spawn()
            .unwrap();
        let found: Vec<u32> = find(folder, &[], &[])
            .iter()
            .map(|process| process.pid)
            .collect();
        let strangers = find(Path::new("/nowhere/.game-history/sweep-of"), &[], &[]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, [child.id()]);
        assert!(strangers.is_empty());
    }

    #[test]
    fn what_a_known_process_started_is_no_stray() {
        let folder = Path::new("/nowhere/.game-history/sweep-of-descendants");
        let mut parent = mark(Command::new("sh").args(["-c", "sleep 60 & wait"]), folder)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while find(folder, &[], &[]).len() < 2 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let all = find(folder, &[], &[]);
        let strays = find(folder, &[], &[parent.id()]);
        all.iter().for_each(|process| process.signal(Signal::KILL));
        parent.wait().unwrap();
        assert_eq!((all.len(), strays.len()), (2, 0));
    }

    #[test]
    fn a_server_is_found_by_its_data_folder() {
        let data = Path::new("/nowhere/.game-history/sweep-of-arguments/postgres/data");
        let mut child = Command::new("sh")
            .args(["-c", "read line", "-D"])
            .arg(data)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let found: Vec<u32> = find(Path::new("/nowhere/else"), &[data.to_owned()], &[])
            .iter()
            .map(|process| process.pid)
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, [child.id()]);
    }
}
