//! What processes use, as the kernel counts it in `/proc`.
//!
//! A tree counts the process, its living children, and those it has waited for: PostgreSQL's short-lived workers are in it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, bail};

/// CPU time of a process and everything below it.
///
/// # Errors
/// The process is gone, or this system has no `/proc`.
pub(super) fn cpu_of_tree(pid: u32) -> anyhow::Result<Duration> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut spent: HashMap<u32, u64> = HashMap::new();
    let processes = std::fs::read_dir("/proc")
        .context("CPU time is read from /proc, which is not here: bench on Linux")?;
    for entry in processes.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(stat) = Stat::of(pid) {
            children.entry(stat.parent).or_default().push(pid);
            spent.insert(pid, stat.ticks);
        }
    }
    if !spent.contains_key(&pid) {
        bail!("process {pid} has ended while it was measured");
    }
    let (mut ticks, mut rest) = (0, vec![pid]);
    while let Some(next) = rest.pop() {
        ticks += spent.get(&next).copied().unwrap_or_default();
        rest.extend(children.remove(&next).unwrap_or_default());
    }
    Ok(time(ticks))
}

/// CPU time of this process alone: the stack's processes are its children.
///
/// # Errors
/// This system has no `/proc`.
pub(super) fn cpu_of_this() -> anyhow::Result<Duration> {
    let stat = Stat::of(std::process::id())
        .context("CPU time is read from /proc, which is not here: bench on Linux")?;
    Ok(time(stat.own_ticks))
}

/// The most memory the process ever had in RAM, in bytes.
///
/// # Errors
/// The process is gone, or this system has no `/proc`.
pub(super) fn peak_memory_bytes(pid: u32) -> anyhow::Result<u64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} can't be looked at"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.with_context(|| format!("process {pid} shows no {field}"))? * 1_024)
}

fn time(ticks: u64) -> Duration {
    Duration::from_millis(
        ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1),
    )
}

struct Stat {
    parent: u32,
    /// User and system time.
    own_ticks: u64,
    /// User and system time, with that of children waited for.
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name stands in brackets and may hold anything; after it come the state, the parent, and from the twelfth field on the times.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own_ticks: number(11)? + number(12)?,
            ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let stat =
            Stat::parse("7 (a) b) S 3 7 7 0 -1 0 0 0 0 0 10 20 1 2 20 0 4 0 99 0 0").unwrap();
        assert_eq!((stat.parent, stat.own_ticks, stat.ticks), (3, 30, 33));
    }

    #[test]
    fn work_of_this_process_shows_in_its_cpu_time() {
        let before = cpu_of_this().unwrap();
        let began = std::time::Instant::now();
        let mut sum = 0_u64;
        while began.elapsed() < Duration::from_millis(60) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        assert!(cpu_of_this().unwrap() > before);
        assert!(peak_memory_bytes(std::process::id()).unwrap() > 1 << 20);
    }
}
