//! The memory of a process that archives: what it takes beside open batches leaves them less room.
//!
//! The bound is the whole process's. Batches are counted exactly; the rest (librdkafka's queues, encoders, what the allocator has
//! not given back yet) can't be, so the process looks at its size now and then, and takes for the rest what it did not count.
//! Nobody is asked to give way: each owner compares its own share with the average. When all together have more than is left for
//! them, nobody takes more, and those at or above the average close their batches, so the largest always does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often the process looks at its size …
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// … and how many looks a closed batch counts as still there: the allocator gives memory back after a second.
const LOOKS: usize = 15;
/// Batches get at least this part of the bound, lest a process that is too large for it does nothing but close them.
const LEAST_PART: usize = 4;
/// This part of it is kept for closing them: a batch is there as it came and as files, and what it had is not given back at once.
const CLOSING_PART: usize = 3;

/// A limit that owners share.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    limit: usize,
    shares: Arc<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    used: AtomicUsize,
    owners: AtomicUsize,
    /// What the process takes beside.
    beside: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of so many bytes for the whole process.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            shares: Arc::default(),
        }
    }

    /// An owner's part in it.
    #[must_use]
    pub fn share(&self) -> MemoryShare {
        self.shares.owners.fetch_add(1, Ordering::Relaxed);
        MemoryShare {
            budget: self.clone(),
            used: 0,
        }
    }

    /// The bytes of open batches.
    #[must_use]
    pub fn used(&self) -> usize {
        self.shares.used.load(Ordering::Relaxed)
    }

    /// The bytes that the process takes beside open batches, as far as it was looked at.
    #[must_use]
    pub fn beside(&self) -> usize {
        self.shares.beside.load(Ordering::Relaxed)
    }

    /// Whether open batches have more than is left for them.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        let kept = self.limit / CLOSING_PART + self.beside();
        let left = self.limit.saturating_sub(kept);
        self.used() > left.max(self.limit / LEAST_PART)
    }

    /// Looks at the size of the process for as long as the budget is in use. Where the system does not tell it, batches alone are
    /// bounded. On a thread of its own: those of the runtime are busy with encoding when it matters most.
    pub(crate) fn follow(&self) -> std::io::Result<()> {
        let shares = Arc::downgrade(&self.shares);
        let look = move || {
            let mut looks = Looks::default();
            while let Some(shares) = shares.upgrade() {
                if let Some(resident) = resident_bytes() {
                    let beside = looks.beside(shares.used.load(Ordering::Relaxed), resident);
                    shares.beside.store(beside, Ordering::Relaxed);
                }
                drop(shares);
                std::thread::sleep(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("memory".into());
        thread.spawn(look).map(drop)
    }
}

/// What open batches had lately.
#[derive(Debug, Default)]
struct Looks(VecDeque<usize>);

impl Looks {
    /// What a process of `resident` bytes takes beside open batches. A batch that was closed a moment ago may still be part of
    /// its size.
    fn beside(&mut self, used: usize, resident: usize) -> usize {
        self.0.push_back(used);
        if self.0.len() > LOOKS {
            self.0.pop_front();
        }
        resident.saturating_sub(self.0.iter().copied().max().unwrap_or_default())
    }
}

/// How much of this process is in RAM, where the system tells it.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// One owner's part of a budget, given back on drop.
#[derive(Debug)]
pub struct MemoryShare {
    budget: MemoryBudget,
    used: usize,
}

impl MemoryShare {
    /// Says how much the owner uses now.
    pub fn set(&mut self, bytes: usize) {
        let shares = &self.budget.shares;
        if bytes >= self.used {
            shares.used.fetch_add(bytes - self.used, Ordering::Relaxed);
        } else {
            shares.used.fetch_sub(self.used - bytes, Ordering::Relaxed);
        }
        self.used = bytes;
    }

    /// Whether this owner should close its batch for the sake of all.
    #[must_use]
    pub fn should_yield(&self) -> bool {
        let owners = self.budget.shares.owners.load(Ordering::Relaxed).max(1);
        self.budget.is_exceeded() && self.used >= self.budget.used() / owners
    }

    /// Whether open batches as a whole have more than is left for them.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.budget.is_exceeded()
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.set(0);
        self.budget.shares.owners.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_yields_and_gives_back_what_it_had() {
        let budget = MemoryBudget::new(150);
        let (mut small, mut large) = (budget.share(), budget.share());
        small.set(30);
        large.set(70);
        assert!(!small.should_yield() && !large.should_yield());
        large.set(90);
        assert!(!small.should_yield() && large.should_yield());
        drop(large);
        assert_eq!(budget.used(), 30);
        assert!(!small.should_yield());
    }

    #[test]
    fn what_the_process_takes_beside_leaves_batches_less_but_never_nothing() {
        let (budget, mut looks) = (MemoryBudget::new(210), Looks::default());
        let mut share = budget.share();
        let mut look = |used: usize, resident: usize| {
            share.set(used);
            let beside = looks.beside(used, resident);
            budget.shares.beside.store(beside, Ordering::Relaxed);
            budget.is_exceeded()
        };
        assert!(!look(100, 130));
        assert!(look(100, 180));
        // Closed, and not given back yet: the others need not close theirs.
        assert!(!look(60, 180));
        for _ in 0..LOOKS {
            look(60, 180);
        }
        assert!(look(60, 180));
        assert!(!look(52, 1_000) && look(53, 1_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_size_of_this_process_is_known() {
        let before = resident_bytes().unwrap();
        let touched = vec![1_u8; 64 << 20];
        assert!(
            resident_bytes().unwrap() > before + (32 << 20),
            "{}",
            touched.len()
        );
    }
}
