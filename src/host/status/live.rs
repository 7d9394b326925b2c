//! The live reading behind `Status`: what NGINX and Azure say now, and nothing written.
//!
//! Whoever asks gets a reading that began after the question, shared with everybody who asks
//! meanwhile: one runs and one waits at most. Beyond the [`Budget`] the last reading is given
//! again, with its age.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Budget;
use crate::reconcile::{Flight, Intent, NoReport, PassReport, Reconciler, Request, Scope};

/// When an answer is due, waiting for another reading included.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);

/// What was read, or why nothing was.
#[derive(Debug, Clone)]
pub(crate) enum Reading {
    /// NGINX and Azure were read.
    Live(Arc<PassReport>),
    /// They were not, in time.
    None(NoReport),
}

/// Shared, bounded readings.
pub(crate) struct LiveReadings {
    flight: Flight,
    shared: Arc<Shared>,
}

struct Shared {
    budget: Budget,
    last: Mutex<Option<Arc<PassReport>>>,
}

impl LiveReadings {
    pub(crate) fn new(reconciler: &Arc<Reconciler>) -> Self {
        let shared = Arc::new(Shared {
            budget: Budget::new(Instant::now()),
            last: Mutex::default(),
        });
        let (reconciler, spending) = (Arc::clone(reconciler), Arc::clone(&shared));
        let flight = Flight::new(move |request: Request| {
            let (reconciler, shared) = (Arc::clone(&reconciler), Arc::clone(&spending));
            Box::pin(async move {
                shared.budget.spend(Instant::now());
                reconciler
                    .pass(&request.scope, &Intent::Survey, request.deadline)
                    .await
            })
        });
        Self { flight, shared }
    }

    /// What NGINX and Azure say now.
    pub(crate) async fn read(&self) -> Reading {
        let now = Instant::now();
        if !self.shared.budget.allows(now)
            && let Some(last) = self.shared.last.lock().ok().and_then(|last| last.clone())
        {
            return Reading::Live(last);
        }
        let request = Request {
            scope: Scope::All,
            deadline: now + DEADLINE,
        };
        match self.flight.ask(request).await {
            Ok(report) => {
                if let Ok(mut last) = self.shared.last.lock()
                    && last
                        .as_ref()
                        .is_none_or(|last| last.started <= report.started)
                {
                    *last = Some(Arc::clone(&report));
                }
                Reading::Live(report)
            }
            Err(error) => Reading::None(error),
        }
    }
}
