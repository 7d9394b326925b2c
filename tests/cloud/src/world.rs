//! The state of the simulated cloud, changed and inspected by tests while requests arrive.
//!
//! [`World`] is a handle: cloning it is cheap, and every method takes effect at once and for every
//! request that is answered afterwards. Its methods are grouped by what they are about: scale sets
//! (`scale_sets.rs`), single instances (`instances.rs`), the way Resource Manager lists things
//! (`listing.rs`), identity and secrets (`access.rs`), NGINX upstreams (`upstreams.rs`).
//!
//! Wherever a method takes the name of a scale set, `name` means the cloud's own resource group,
//! `group/name` another group, and `subscription/group/name` another subscription.

mod access;
mod compute;
mod instances;
mod listing;
mod model;
mod scale_sets;
mod upstreams;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use access::{AccessState, SECRET_NAME, Token};
pub(crate) use compute::{ComputeState, ScaleSet, SetKey};
pub use listing::EmptyNicList;
pub use model::{
    Health, Instance, InstanceRef, IpConfiguration, Nic, OrchestrationMode, PowerState,
    Provisioning,
};
pub use scale_sets::SetSpec;

use crate::nginx::{NginxState, NginxWrite};

/// A callback that sees every write to NGINX; an error it returns becomes a violation.
pub type WriteHook = Box<dyn FnMut(&NginxWrite) -> Result<(), String> + Send>;

/// A handle on everything the simulated services know.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    hook: Mutex<Option<WriteHook>>,
    violations: Mutex<Vec<String>>,
}

/// The state itself, one part per service.
pub(crate) struct State {
    pub(crate) compute: ComputeState,
    pub(crate) access: AccessState,
    pub(crate) nginx: NginxState,
}

impl World {
    pub(crate) fn new(vault_origin: &str) -> Self {
        let compute = ComputeState::new();
        let access = AccessState::new(vault_origin);
        let state = State {
            compute,
            access,
            nginx: NginxState::new(),
        };
        let inner = Inner {
            state: Mutex::new(state),
            hook: Mutex::new(None),
            violations: Mutex::new(Vec::new()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Runs `change` on the state, alone.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(
            &mut self
                .inner
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Runs a write to NGINX and shows its outcome to the hook, one write at a time.
    ///
    /// The hook runs with the state unlocked, so it may look at the world.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut State) -> (T, Option<NginxWrite>)) -> T {
        let mut hook = self
            .inner
            .hook
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (result, written) = self.with(change);
        if let (Some(hook), Some(write)) = (hook.as_mut(), written) {
            let verdict = catch_unwind(AssertUnwindSafe(|| hook(&write)));
            match verdict {
                Ok(Ok(())) => {}
                Ok(Err(violation)) => self.add_violation(violation),
                Err(panic) => self.add_violation(panic_text(panic.as_ref())),
            }
        }
        result
    }

    /// Calls `hook` after every change that a request made to an upstream, with what it became.
    ///
    /// The hook runs on one of the cloud's own threads: what it returns as an error, or panics
    /// with, is found in [`World::violations`].
    pub fn on_nginx_write(
        &self,
        hook: impl FnMut(&NginxWrite) -> Result<(), String> + Send + 'static,
    ) {
        *self
            .inner
            .hook
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// Everything that must never happen and did: broken invariants of the write hook, reset
    /// statistics of an upstream, credentials sent where they do not belong.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.inner
            .violations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Adds to [`World::violations`].
    pub fn add_violation(&self, violation: impl Into<String>) {
        let mut violations = self
            .inner
            .violations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        violations.push(violation.into());
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("World").finish_non_exhaustive()
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!(
        "the write hook panicked: {}",
        text.unwrap_or("without a message")
    )
}
