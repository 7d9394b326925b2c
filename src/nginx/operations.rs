//! What a pass asks of NGINX, as calls.

use async_trait::async_trait;
use reqwest::Method;
use tokio::time::Instant;

use super::client::{API_VERSION, NginxPlus, decode, not_understood};
use super::wire::{self, NewServer, ServerPatch, UpstreamReply};
use crate::model::{PeerStatus, Server, ServerAddress, ServerParameters, UpstreamKey};
use crate::plan::Changes;
use crate::reconcile::{Balancer, BalancerError};

/// The servers of an upstream, as the API lists them.
///
/// # Errors
///
/// [`Malformed`](crate::reconcile::BalancerErrorKind::Malformed): NGINX's reply makes no sense.
pub fn servers(body: &[u8]) -> Result<Vec<Server>, BalancerError> {
    wire::servers(body).map_err(|error| not_understood(&error))
}

#[async_trait]
impl Balancer for NginxPlus {
    async fn servers(
        &self,
        upstream: &UpstreamKey,
        deadline: Instant,
    ) -> Result<Vec<Server>, BalancerError> {
        let url = self.servers_url(upstream, "");
        let body = self.call(Method::GET, url, &None::<()>, deadline).await?;
        servers(&body)
    }

    async fn peers(
        &self,
        upstream: &UpstreamKey,
        deadline: Instant,
    ) -> Result<Vec<PeerStatus>, BalancerError> {
        let kind = upstream.kind.path();
        let url = self.url(&[API_VERSION, kind, "upstreams", &upstream.name, ""]);
        let body = self.call(Method::GET, url, &None::<()>, deadline).await?;
        Ok(decode::<UpstreamReply>(&body)?.statuses(upstream.kind))
    }

    async fn add(
        &self,
        upstream: &UpstreamKey,
        address: &ServerAddress,
        parameters: &ServerParameters,
        deadline: Instant,
    ) -> Result<(), BalancerError> {
        let url = self.servers_url(upstream, "");
        let server = NewServer::new(address, parameters);
        self.call(Method::POST, url, &Some(server), deadline)
            .await
            .map(drop)
    }

    async fn patch(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        changes: &Changes,
        deadline: Instant,
    ) -> Result<(), BalancerError> {
        self.patch_with(upstream, id, ServerPatch::from(changes), deadline)
            .await
            .map(drop)
    }

    async fn set_draining(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        draining: bool,
        deadline: Instant,
    ) -> Result<(), BalancerError> {
        self.patch_with(upstream, id, ServerPatch::draining(draining), deadline)
            .await
            .map(drop)
    }

    async fn set_down(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        down: bool,
        deadline: Instant,
    ) -> Result<(), BalancerError> {
        self.patch_with(upstream, id, ServerPatch::down(down), deadline)
            .await
            .map(drop)
    }

    async fn remove(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        deadline: Instant,
    ) -> Result<(), BalancerError> {
        let url = self.servers_url(upstream, &id.to_string());
        self.call(Method::DELETE, url, &None::<()>, deadline)
            .await
            .map(drop)
    }
}

impl NginxPlus {
    pub(super) async fn patch_with(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        patch: ServerPatch,
        deadline: Instant,
    ) -> Result<Vec<u8>, BalancerError> {
        let url = self.servers_url(upstream, &id.to_string());
        self.call(Method::PATCH, url, &Some(patch), deadline).await
    }
}
