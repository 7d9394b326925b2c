//! Gates: hold one chosen request until the test lets it go.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::answer::Seen;
use crate::faults::Match;
use crate::journal::Service;

/// Where in a request's life the gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GateAt {
    /// The request has arrived and nothing has been done yet.
    Arrival,
    /// The service has done the work, and the answer is withheld.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Waiting,
    Arrived,
    Released,
}

/// Holds the first matching request (after [`Match::skip`] others) until released.
///
/// Dropping a gate releases it, so a failing test does not leave a request hanging.
#[derive(Debug)]
pub struct Gate {
    stage: Arc<watch::Sender<Stage>>,
}

impl Gate {
    /// Waits until a request stands at the gate.
    pub async fn arrived(&self) {
        let mut stage = self.stage.subscribe();
        let _ = stage.wait_for(|stage| *stage >= Stage::Arrived).await;
    }

    /// Whether a request stands at the gate, or has passed it.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        *self.stage.borrow() >= Stage::Arrived
    }

    /// Lets the held request go on; a request that comes later passes at once.
    pub fn release(&self) {
        self.stage.send_modify(|stage| *stage = Stage::Released);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.release();
    }
}

struct Post {
    matches: Match,
    at: GateAt,
    stage: Arc<watch::Sender<Stage>>,
}

/// The gates that still wait for their request.
#[derive(Default)]
pub(crate) struct Gates {
    posts: Mutex<Vec<Post>>,
}

impl Gates {
    pub(crate) fn add(&self, matches: Match, at: GateAt) -> Gate {
        let stage = Arc::new(watch::Sender::new(Stage::Waiting));
        let post = Post {
            matches,
            at,
            stage: Arc::clone(&stage),
        };
        self.posts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(post);
        Gate { stage }
    }

    /// Waits at the gate that stands in this request's way, if there is one.
    pub(crate) async fn pass(&self, at: GateAt, service: Service, seen: &Seen) {
        let Some(stage) = self.take(at, service, seen) else {
            return;
        };
        stage.send_if_modified(|stage| {
            let first = *stage == Stage::Waiting;
            if first {
                *stage = Stage::Arrived;
            }
            first
        });
        let mut stage = stage.subscribe();
        let _ = stage.wait_for(|stage| *stage == Stage::Released).await;
    }

    fn take(&self, at: GateAt, service: Service, seen: &Seen) -> Option<Arc<watch::Sender<Stage>>> {
        let target = seen.target();
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        let place = posts.iter_mut().position(|post| {
            if post.at != at || !post.matches.fits(service, &seen.method, &target) {
                return false;
            }
            if post.matches.skip > 0 {
                post.matches.skip -= 1;
                return false;
            }
            true
        })?;
        Some(posts.remove(place).stage)
    }
}
