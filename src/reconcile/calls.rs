//! How many requests one pass sends, wherever below it they are sent.
//!
//! A pass runs in one task, so a task-local counter tells its requests from those of a pass or a
//! reading of `Status` beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests sent on behalf of one pass, repeated ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// To Azure: Resource Manager, and, where they were due, sign-in and Key Vault.
    pub azure: u64,
    /// To the NGINX Plus API.
    pub nginx: u64,
}

#[derive(Debug, Default)]
struct Counters {
    azure: AtomicU64,
    nginx: AtomicU64,
}

tokio::task_local! {
    static SENT: Arc<Counters>;
}

/// Counts a request to Azure for the pass that this task runs, if it runs one.
pub(crate) fn count_azure() {
    let _ = SENT.try_with(|sent| sent.azure.fetch_add(1, Ordering::Relaxed));
}

/// Counts a request to NGINX for the pass that this task runs, if it runs one.
pub(crate) fn count_nginx() {
    let _ = SENT.try_with(|sent| sent.nginx.fetch_add(1, Ordering::Relaxed));
}

/// Runs `work` and counts the requests that it sends.
pub(super) async fn counted<T>(work: impl Future<Output = T>) -> (T, Calls) {
    let sent = Arc::new(Counters::default());
    let result = SENT.scope(Arc::clone(&sent), work).await;
    let calls = Calls {
        azure: sent.azure.load(Ordering::Relaxed),
        nginx: sent.nginx.load(Ordering::Relaxed),
    };
    (result, calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_piece_of_work_counts_its_own_requests_only() {
        count_azure();
        let one = counted(async {
            count_azure();
            tokio::task::yield_now().await;
            count_nginx();
            count_nginx();
            "one"
        });
        let other = counted(async {
            count_nginx();
            tokio::task::yield_now().await;
            "other"
        });
        let (one, other) = tokio::join!(one, other);
        assert_eq!(one, ("one", Calls { azure: 1, nginx: 2 }));
        assert_eq!(other, ("other", Calls { azure: 0, nginx: 1 }));
    }
}
