//! At most one pass running and one waiting, however many ask.
//!
//! Everyone who asks before the waiting pass starts shares its result, so a reply is only ever
//! given by a pass that began after the request arrived.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::report::PassReport;
use super::scope::Scope;
use crate::telemetry::Askers;

/// How long before its reply is due a pass ends, so that it can still tell what it did.
const MARGIN: Duration = Duration::from_millis(500);

/// One request for a pass.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to look at.
    pub scope: Scope,
    /// When its reply is due, waiting included.
    pub deadline: Instant,
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// The request's deadline came first. The pass goes on; a later one finds the rest.
    #[error("no pass finished in time; what it did not reach is done by the next one")]
    DeadlinePassed,
    /// The pass panicked.
    #[error("the pass failed by a fault of this program: {0}")]
    Panicked(String),
}

type Ending = Result<Arc<PassReport>, NoReport>;
type Run = dyn Fn(Request) -> BoxFuture<'static, PassReport> + Send + Sync;

/// Single flight and coalescing in front of a pass.
#[derive(Clone)]
pub struct Flight {
    state: Arc<Mutex<State>>,
    turn: Arc<tokio::sync::Mutex<()>>,
    run: Arc<Run>,
}

#[derive(Default)]
struct State {
    running: bool,
    waiting: Option<Batch>,
}

struct Batch {
    request: Request,
    /// On whose behalf it will run.
    askers: Askers,
    ending: watch::Sender<Option<Ending>>,
}

impl Flight {
    /// Puts single flight in front of `run`, which is given a deadline somewhat before the reply is
    /// due. A pass that would begin after it is not run: nobody waits for it any more.
    #[must_use]
    pub fn new(
        run: impl Fn(Request) -> BoxFuture<'static, PassReport> + Send + Sync + 'static,
    ) -> Self {
        Self {
            state: Arc::default(),
            turn: Arc::default(),
            run: Arc::new(run),
        }
    }

    /// Waits until no pass runs, and keeps others from beginning while the guard lives: for a pass
    /// whose result is nobody else's.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Asks for a pass that begins from now on, and waits for its report.
    ///
    /// # Errors
    ///
    /// There is no report by the request's deadline.
    pub async fn ask(&self, request: Request) -> Ending {
        let deadline = request.deadline;
        let mut ending = self.join(request);
        let ended = timeout_at(deadline, ending.wait_for(Option::is_some)).await;
        match ended {
            Err(_) => Err(NoReport::DeadlinePassed),
            Ok(Err(_)) => Err(NoReport::Panicked("its task ended".to_owned())),
            Ok(Ok(ended)) => ended.clone().unwrap_or(Err(NoReport::DeadlinePassed)),
        }
    }

    fn join(&self, request: Request) -> watch::Receiver<Option<Ending>> {
        // A panic cannot happen while the lock is held: nothing in here runs foreign code.
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(batch) = &mut state.waiting {
            let scope = std::mem::replace(&mut batch.request.scope, Scope::All);
            batch.request.scope = scope.union(request.scope);
            batch.request.deadline = batch.request.deadline.max(request.deadline);
            batch.askers.join();
            return batch.ending.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        state.waiting = Some(Batch {
            request,
            askers: Askers::current(),
            ending: sender,
        });
        if !state.running {
            state.running = true;
            tokio::spawn(self.clone().work());
        }
        receiver
    }

    async fn work(self) {
        loop {
            // The turn first, then the batch: who asks while another pass runs still joins.
            let _turn = self.turn.lock().await;
            let Some(mut batch) = self.next() else { return };
            batch.request.deadline -= MARGIN;
            if batch.request.deadline <= Instant::now() {
                let late = Err(NoReport::DeadlinePassed);
                batch.ending.send_replace(Some(late));
                continue;
            }
            // In a task of its own, so that a panic ends the pass and not this loop, and that no
            // caller's disappearance cancels it half way.
            let pass = batch.askers.run((self.run)(batch.request));
            let ending = match tokio::spawn(pass).await {
                Ok(report) => Ok(Arc::new(report)),
                Err(error) => Err(NoReport::Panicked(error.to_string())),
            };
            batch.ending.send_replace(Some(ending));
        }
    }

    fn next(&self) -> Option<Batch> {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let batch = state.waiting.take();
        state.running = batch.is_some();
        batch
    }
}
