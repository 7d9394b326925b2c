//! On whose behalf something happens: which trigger, and which invocations.
//!
//! It travels with the OpenTelemetry [`Context`] of a task, so that every log line and every span
//! below an invocation knows it, and nothing in between has to hand it on.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};

use super::names::Trigger;

/// At most so many invocations are named in a line: a burst may have hundreds.
const NAMED: usize = 8;

/// On whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What began it.
    pub trigger: Trigger,
    /// The ids of the invocations that wait for it; none from a terminal.
    pub invocations: Vec<String>,
}

impl Origin {
    /// Of the running task.
    #[must_use]
    pub fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned())
    }

    /// Runs `look` with the origin of the running task, without a copy.
    pub(super) fn with_current<T>(look: impl FnOnce(&Self) -> T) -> Option<T> {
        Context::map_current(|context| context.get::<Self>().map(look))
    }

    /// Runs `work` on this behalf.
    pub(super) async fn run<F: Future>(self, work: F) -> F::Output {
        let context = Context::current_with_value(self);
        work.with_context(context).await
    }

    /// The invocations for a log line: their ids joined by commas, none for none.
    #[must_use]
    pub fn invocations(&self) -> Option<Invocations<'_>> {
        (!self.invocations.is_empty()).then_some(Invocations(&self.invocations))
    }
}

/// Ids of invocations, joined by commas; of many the first few, and how many more.
#[derive(Debug, Clone, Copy)]
pub struct Invocations<'a>(&'a [String]);

impl fmt::Display for Invocations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, id) in self.0.iter().take(NAMED).enumerate() {
            let separator = if place == 0 { "" } else { "," };
            write!(f, "{separator}{id}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, ",+{more}"),
        }
    }
}

/// Spans that a shared pass belongs to besides its parent.
#[derive(Debug, Clone, Default)]
pub(super) struct Links(pub(super) Vec<SpanContext>);

/// Those who share one piece of work.
#[derive(Debug, Clone, Default)]
pub struct Askers(Vec<Context>);

impl Askers {
    /// The running task alone.
    #[must_use]
    pub fn current() -> Self {
        Self(vec![Context::current()])
    }

    /// The running task asks.
    pub fn join(&mut self) {
        self.0.push(Context::current());
    }

    /// Runs `work` on behalf of all of them: as a child of the first one's span, linked to the
    /// others', with all their invocations.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        let mut askers = self.0.into_iter();
        let Some(first) = askers.next() else {
            return work.await;
        };
        let mut origin = first.get::<Origin>().cloned();
        let mut links = Links::default();
        for other in askers {
            if let (Some(origin), Some(more)) = (&mut origin, other.get::<Origin>()) {
                origin.invocations.extend(more.invocations.iter().cloned());
            }
            let span = other.span().span_context().clone();
            if span.is_valid() {
                links.0.push(span);
            }
        }
        let mut context = first;
        if let Some(origin) = origin {
            context = context.with_value(origin);
        }
        if !links.0.is_empty() {
            context = context.with_value(links);
        }
        work.with_context(context).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> Origin {
        Origin {
            trigger: Trigger::Event,
            invocations: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    async fn asked_by(origin: Origin, askers: &mut Askers) {
        let context = Context::current_with_value(origin);
        async { askers.join() }.with_context(context).await;
    }

    #[tokio::test]
    async fn shared_work_belongs_to_everyone_who_asked() {
        let mut askers = Askers::default();
        for id in ["one", "two", "three"] {
            asked_by(of(&[id]), &mut askers).await;
        }
        let seen = askers.run(async { Origin::current() }).await;
        assert_eq!(seen, Some(of(&["one", "two", "three"])));
        assert_eq!(Origin::current(), None);
    }

    #[tokio::test]
    async fn work_that_nobody_of_note_asked_for_runs_all_the_same() {
        assert_eq!(Askers::default().run(async { 7 }).await, 7);
        let mut askers = Askers::default();
        askers.join();
        assert_eq!(askers.run(async { Origin::current() }).await, None);
    }

    #[test]
    fn a_burst_does_not_fill_the_line_with_ids() {
        assert!(of(&[]).invocations().is_none());
        let told = |origin: &Origin| origin.invocations().map(|ids| ids.to_string());
        assert_eq!(told(&of(&["a"])).as_deref(), Some("a"));
        assert_eq!(told(&of(&["a", "b"])).as_deref(), Some("a,b"));
        let many: Vec<String> = (0..11).map(|id| id.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(told(&of(&many)).as_deref(), Some("0,1,2,3,4,5,6,7,+3"));
    }
}
