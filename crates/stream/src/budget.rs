//! How much of a bounded amount of memory is taken by blocks on their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes are on their way from the poll thread to a reader.
#[derive(Debug, Default)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    pub(crate) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A share of budgets, given back on drop.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    budgets: Vec<Arc<Budget>>,
    bytes: usize,
}

impl Credit {
    pub(crate) fn take(budgets: Vec<Arc<Budget>>, bytes: usize) -> Self {
        for budget in &budgets {
            budget.0.fetch_add(bytes, Ordering::Relaxed);
        }
        Self { budgets, bytes }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        for budget in &self.budgets {
            budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back_when_it_is_dropped() {
        let budget = Arc::new(Budget::default());
        let credit = Credit::take(vec![Arc::clone(&budget)], 1_000);
        assert_eq!(budget.used(), 1_000);
        drop(credit);
        assert_eq!(budget.used(), 0);
    }
}
