//! One step of a plan, as writes to NGINX, and what NGINX's answer to them means.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::apply::Applier;
use super::{BalancerError, BalancerErrorKind as Failure};
use crate::model::{Kind, PeerState, Server, ServerAddress, ServerParameters};
use crate::plan::Step;

/// What became of one step.
pub(super) enum Done {
    Added,
    Removed,
    Updated,
    Draining,
    /// Somebody else was faster.
    AlreadySo,
    /// NGINX does not let it be changed.
    Static,
    Failed(BalancerError),
    /// A signal came first.
    Stopped,
}

impl Applier<'_> {
    /// Carries one step out.
    pub(super) async fn one(&self, step: &Step) -> Done {
        let key = &self.upstream.key;
        if self.stopped.load(Ordering::Relaxed) {
            return Done::Stopped;
        }
        match step {
            Step::Add {
                address,
                parameters,
            } => self.add(address, parameters).await,
            Step::Patch {
                id,
                address,
                changes,
            } => match self.balancer.patch(key, *id, changes, self.deadline).await {
                Ok(()) => Done::Updated,
                Err(error) => self.refused(*id, address, error),
            },
            Step::Undrain {
                id,
                address,
                parameters,
            } => self.undrain(*id, address, parameters).await,
            Step::Replace {
                id,
                address,
                parameters,
            } => self.replace(*id, address, parameters).await,
            Step::Drain { id, address, .. } => self.drain(*id, address).await,
            Step::Remove {
                id,
                address,
                down_first,
                ..
            } => {
                if *down_first
                    && let Err(error) = self.set_down(*id, address).await
                    && error.kind == Failure::Immutable
                {
                    return self.refused(*id, address, error);
                }
                self.remove(*id, address).await
            }
        }
    }

    /// Sets a server down on its way out. Should it not get out, and its instance come back, this
    /// process remembers that it was no operator who did it.
    async fn set_down(&self, id: u64, address: &ServerAddress) -> Result<(), BalancerError> {
        let key = &self.upstream.key;
        let was_up = |server: &Server| server.address == *address && !server.down;
        if self.servers.iter().any(was_up) {
            self.drains.started(key, address, Instant::now());
        }
        self.balancer.set_down(key, id, true, self.deadline).await
    }

    async fn add(&self, address: &ServerAddress, parameters: &ServerParameters) -> Done {
        match self
            .balancer
            .add(&self.upstream.key, address, parameters, self.deadline)
            .await
        {
            Ok(()) => Done::Added,
            Err(error) if error.kind == Failure::EntryExists => Done::AlreadySo,
            Err(error) => Done::Failed(error),
        }
    }

    async fn remove(&self, id: u64, address: &ServerAddress) -> Done {
        match self
            .balancer
            .remove(&self.upstream.key, id, self.deadline)
            .await
        {
            Ok(()) => Done::Removed,
            Err(error) => self.refused(id, address, error),
        }
    }

    async fn drain(&self, id: u64, address: &ServerAddress) -> Done {
        let key = &self.upstream.key;
        match self
            .balancer
            .set_draining(key, id, true, self.deadline)
            .await
        {
            Ok(()) => {
                self.drains.started(key, address, Instant::now());
                Done::Draining
            }
            // An API without draining: deleting lets running requests finish, too.
            Err(error) if matches!(error.kind, Failure::UnknownParameter | Failure::Rejected) => {
                self.remove(id, address).await
            }
            Err(error) => self.refused(id, address, error),
        }
    }

    /// Puts a draining server back. Whether `drain: false` does that is not documented, so the
    /// server is looked at afterwards, and replaced if it still drains.
    async fn undrain(
        &self,
        id: u64,
        address: &ServerAddress,
        parameters: &ServerParameters,
    ) -> Done {
        let key = &self.upstream.key;
        if key.kind == Kind::Stream {
            let back = self.balancer.set_down(key, id, false, self.deadline);
            return match back.await {
                Ok(()) => {
                    self.drains.ended(key, address);
                    Done::Updated
                }
                Err(error) => self.refused(id, address, error),
            };
        }
        match self
            .balancer
            .set_draining(key, id, false, self.deadline)
            .await
        {
            Err(error) if !matches!(error.kind, Failure::UnknownParameter | Failure::Rejected) => {
                return self.refused(id, address, error);
            }
            Err(_) => {}
            Ok(()) => {
                let still_draining = match self.still_drains(id).await {
                    Ok(still_draining) => still_draining,
                    Err(error) => return Done::Failed(error),
                };
                if !still_draining {
                    self.drains.ended(key, address);
                    return Done::Updated;
                }
            }
        }
        self.replace(id, address, parameters).await
    }

    /// Whether NGINX still drains a server. The list of servers may not tell it (NGINXaaS); then
    /// the run-time status does, where there is one.
    async fn still_drains(&self, id: u64) -> Result<bool, BalancerError> {
        let key = &self.upstream.key;
        let servers = self.balancer.servers(key, self.deadline).await?;
        if servers
            .iter()
            .any(|server| server.id == id && server.draining)
        {
            return Ok(true);
        }
        let peers = self
            .balancer
            .peers(key, self.deadline)
            .await
            .unwrap_or_default();
        Ok(peers
            .iter()
            .any(|peer| peer.id == id && peer.state == PeerState::Draining))
    }

    async fn replace(
        &self,
        id: u64,
        address: &ServerAddress,
        parameters: &ServerParameters,
    ) -> Done {
        match self.remove(id, address).await {
            Done::Removed | Done::AlreadySo => {
                self.drains.ended(&self.upstream.key, address);
                match self.add(address, parameters).await {
                    Done::Added | Done::AlreadySo => Done::Updated,
                    other => other,
                }
            }
            other => other,
        }
    }

    /// What NGINX's refusal of a change to an existing server means.
    fn refused(&self, id: u64, address: &ServerAddress, error: BalancerError) -> Done {
        match error.kind {
            Failure::ServerNotFound => Done::AlreadySo,
            Failure::Immutable => {
                self.statics.learn(&self.upstream.key, id, address);
                Done::Static
            }
            _ => Done::Failed(error),
        }
    }
}
