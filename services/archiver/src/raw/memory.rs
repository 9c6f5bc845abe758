//! The memory of all open batches of a process, shared by their owners.
//!
//! Nobody is asked to give way: each owner compares its own share with the average. When all together are above the limit, those
//! at or above the average close their batches, so the largest always does; whoever has one on its way takes nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
}

impl MemoryBudget {
    /// A budget of so many bytes.
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

    /// The bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.shares.used.load(Ordering::Relaxed)
    }

    /// Whether more is in use than should be.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }
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

    /// Whether the budget as a whole is exceeded.
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
        let budget = MemoryBudget::new(100);
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
}
